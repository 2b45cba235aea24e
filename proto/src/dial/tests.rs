use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_host_is_reached_over_whichever_of_its_addresses_answers() {
    // Where the name stands for ::1, too, nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = first(&format!("localhost:{port}")).await.unwrap();
    assert_eq!(tcp.peer_addr().unwrap().port(), port);
    drop(listener);
    let refused = first(&format!("127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_path_that_has_died_is_noticed_by_the_kernel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tcp = first(&address).await.unwrap();
    watched(&tcp).unwrap();
    let socket = SockRef::from(&tcp);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
}
