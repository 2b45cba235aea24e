use std::time::Instant;

use model::fact::power::ShutdownMode;

use super::fake::{FakeBus, FakeLogind};
use super::*;

/// An agent that attends to the bus, and its ear.
fn listening(bus: &FakeBus) -> mpsc::Receiver<Heard> {
    let (sender, heard) = mpsc::channel(4);
    let address = bus.address();
    tokio::spawn(async move { attend(&address, sender).await });
    heard
}

async fn next(heard: &mut mpsc::Receiver<Heard>) -> Heard {
    let next = timeout(Duration::from_secs(20), heard.recv()).await;
    next.expect("nothing is heard").expect("it ended")
}

async fn going_down(
    heard: &mut mpsc::Receiver<Heard>,
) -> (Option<ShutdownMode>, oneshot::Sender<()>) {
    match next(heard).await {
        Heard::GoingDown { announced, told } => (announced.mode, told),
        other => panic!("{other:?}"),
    }
}

async fn attends(heard: &mut mpsc::Receiver<Heard>) {
    let next = next(heard).await;
    assert!(matches!(next, Heard::Attends), "{next:?}");
}

async fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_shutdown_waits_until_it_is_told_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let bus = FakeBus::start(dir.path()).await;
    let logind = FakeLogind::start(&bus).await;
    let mut heard = listening(&bus);
    attends(&mut heard).await;
    let (lock, _) = logind.last_lock().unwrap();
    assert_eq!((&*lock.what, &*lock.mode), ("shutdown", "delay"));
    assert!(lock.why.contains("collector") && lock.is_held());

    logind.announce(true, "reboot").await;
    let (mode, told) = going_down(&mut heard).await;
    assert_eq!(mode, Some(ShutdownMode::Reboot));
    sleep(Duration::from_millis(100)).await;
    assert!(lock.is_held(), "nobody has told it yet");
    told.send(()).unwrap();
    until(|| !lock.is_held()).await;

    // It stays up after all, and the next time nobody can tell anything.
    logind.announce(false, "reboot").await;
    assert!(matches!(next(&mut heard).await, Heard::TakenBack));
    until(|| logind.last_lock().unwrap().1 == 2).await;
    let (lock, _) = logind.last_lock().unwrap();
    logind.announce(true, "poweroff").await;
    let (mode, told) = going_down(&mut heard).await;
    let began = Instant::now();
    assert_eq!(mode, Some(ShutdownMode::PowerOff));
    until(|| !lock.is_held()).await;
    assert!(began.elapsed() < TELLS_WITHIN + Duration::from_secs(1));
    drop(told);
}

#[tokio::test]
async fn systemd_before_255_does_not_say_what_kind_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let bus = FakeBus::start(dir.path()).await;
    let logind = FakeLogind::start(&bus).await;
    let mut heard = listening(&bus);
    attends(&mut heard).await;
    logind.announce_in_the_old_way(true).await;
    assert_eq!(going_down(&mut heard).await.0, None);
}

#[tokio::test]
async fn what_a_stranger_says_in_its_name_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let bus = FakeBus::start(dir.path()).await;
    let logind = FakeLogind::start(&bus).await;
    let stranger = FakeLogind::named(&bus, "org.example.stranger").await;
    let mut heard = listening(&bus);
    attends(&mut heard).await;
    stranger.announce(true, "poweroff").await;
    sleep(Duration::from_millis(100)).await;
    logind.announce(true, "reboot").await;
    let (mode, _) = going_down(&mut heard).await;
    assert_eq!(mode, Some(ShutdownMode::Reboot));
}

#[tokio::test]
async fn the_lock_is_taken_again_from_a_logind_and_from_a_bus_that_came_back() {
    let dir = tempfile::tempdir().unwrap();
    let bus = FakeBus::start(dir.path()).await;
    let logind = FakeLogind::start(&bus).await;
    let mut heard = listening(&bus);
    attends(&mut heard).await;
    drop(logind);
    let logind = FakeLogind::start(&bus).await;
    until(|| logind.last_lock().is_some()).await;
    assert!(logind.last_lock().unwrap().0.is_held());

    drop(bus);
    let blind = next(&mut heard).await;
    let Heard::Blind(why) = blind else {
        panic!("{blind:?}");
    };
    let began = "systemd-logind cannot be attended to (the system bus broke off";
    assert!(why.starts_with(began), "{why}");
    let bus = FakeBus::start(dir.path()).await;
    let logind = FakeLogind::start(&bus).await;
    while !matches!(next(&mut heard).await, Heard::Attends) {}
    assert!(logind.last_lock().unwrap().0.is_held());
}

#[tokio::test]
async fn without_a_bus_it_is_said_why() {
    let (sender, mut heard) = mpsc::channel(4);
    let address = "unix:path=/nonexistent/bus";
    tokio::spawn(attend(address, sender));
    let blind = next(&mut heard).await;
    let Heard::Blind(why) = blind else {
        panic!("{blind:?}");
    };
    assert!(
        why.contains("the system bus cannot be reached at unix:path=/nonexistent/bus"),
        "{why}"
    );
}
