//! Who speaks for whom: the whole Fleet behind the door, with certificates.

use proto::v1;
use proto::v1::agent_message::Message;
use proto::v1::fleet_client::FleetClient;
use proto::v1::query_client::QueryClient;
use quorate_collector::authority::Duty;
use quorate_collector::refusal::Reason;
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::house::{Badge, CLUSTER, House, OTHER, VERSION};

pub(crate) fn hello(node: &str, version: &str) -> v1::Hello {
    v1::Hello {
        cluster: Some(v1::Cluster {
            id: CLUSTER.to_owned(),
            name: "pve".to_owned(),
        }),
        node: node.to_owned(),
        agent: Some(v1::Software {
            version: version.to_owned(),
            capabilities: Vec::new(),
        }),
        boot_id: OTHER.to_owned(),
        spool_id: vec![9; 16],
        spool_first: 1,
        spool_next: 100,
        authority: None,
        instance: vec![1],
        trust: Vec::new(),
    }
}

/// A stream that is open, or why it is not; what it says goes into the sender.
pub(crate) struct Line {
    say: mpsc::Sender<v1::AgentMessage>,
    heard: Streaming<v1::CollectorMessage>,
}

impl Line {
    pub(crate) async fn open(
        house: &House,
        badge: &Badge,
        hello: v1::Hello,
    ) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(8);
        let mut line = Self {
            heard: FleetClient::new(house.connect(badge).await)
                .stream(ReceiverStream::new(said))
                .await?
                .into_inner(),
            say,
        };
        line.say(Message::Hello(hello)).await;
        line.heard.message().await?;
        Ok(line)
    }

    pub(crate) async fn say(&self, message: Message) {
        let message = v1::AgentMessage {
            boottime_ms: 1_000,
            message: Some(message),
        };
        self.say.send(message).await.unwrap();
    }

    async fn ended(&mut self) -> Status {
        loop {
            match self.heard.message().await {
                Ok(message) => assert!(message.is_some(), "it ended without a word"),
                Err(why) => return why,
            }
        }
    }
}

/// It is refused with this code, counted, and said in the log with these words; and it disturbs nobody.
async fn refused(
    house: &House,
    badge: &Badge,
    hello: v1::Hello,
    code: Code,
    reason: Reason,
    words: &str,
) {
    let before = house.refusals.count(reason);
    let why = Line::open(house, badge, hello).await.err().unwrap();
    assert_eq!(why.code(), code, "{why:?}");
    assert!(why.message().contains(words), "{}", why.message());
    let line = house.log.line(words).await;
    let begin = format!("{}: quorate://{CLUSTER}/node/", reason.sentence());
    assert!(
        line.contains(&begin) && line.contains("refused 127.0.0.1:"),
        "{line}"
    );
    assert_eq!(house.refusals.count(reason), before + 1);
}

#[tokio::test]
async fn an_agent_that_speaks_as_another_node_or_cluster_is_refused() {
    let house = House::whole(Duty::Authority).await;
    let good = house.agent("pve-01").await;
    let bad = house.agent("pve-02").await;
    let mut open = Line::open(&house, &good, hello("pve-01", VERSION))
        .await
        .unwrap();
    let words = "the certificate is of node pve-02, and hello says \"pve-01\"";
    let hello_as = hello("pve-01", VERSION);
    refused(
        &house,
        &bad,
        hello_as,
        Code::PermissionDenied,
        Reason::OtherNode,
        words,
    )
    .await;
    let mut elsewhere = hello("pve-02", VERSION);
    elsewhere.cluster.as_mut().unwrap().id = OTHER.to_owned();
    let words = "and hello says \"5d0f7a10-1111-4222-8333-0c6f7f1e2d3c\"";
    refused(
        &house,
        &bad,
        elsewhere,
        Code::PermissionDenied,
        Reason::OtherCluster,
        words,
    )
    .await;
    // The one that it spoke as goes on.
    open.say(Message::Heartbeat(v1::Heartbeat {
        number: 1,
        ..v1::Heartbeat::default()
    }))
    .await;
    open.heard.message().await.unwrap().unwrap();
}

#[tokio::test]
async fn agents_that_are_too_old_or_too_new_are_refused_by_name_and_others_work() {
    let house = House::whole(Duty::Authority).await;
    let badge = house.agent("pve-01").await;
    for version in ["1.2.0", "1.3.9", "1.4.0", "1.5.0"] {
        let open = Line::open(&house, &badge, hello("pve-01", version)).await;
        assert!(open.is_ok(), "{version}: {:?}", open.err());
    }
    for (version, code, reason, words) in [
        (
            "1.1.9",
            Code::FailedPrecondition,
            Reason::Version,
            "version 1.1.9 and the collector 1.4.0",
        ),
        (
            "1.6.0",
            Code::FailedPrecondition,
            Reason::Version,
            "version 1.6.0 and the collector 1.4.0",
        ),
        (
            "newest",
            Code::InvalidArgument,
            Reason::BadRequest,
            "hello.agent.version: \"newest\" is not",
        ),
    ] {
        let hello = hello("pve-01", version);
        refused(&house, &badge, hello, code, reason, words).await;
    }
}

#[tokio::test]
async fn nonsense_on_a_stream_and_a_message_that_is_too_large_end_it_and_are_counted() {
    let house = House::whole(Duty::Authority).await;
    let badge = house.agent("pve-01").await;
    let mut line = Line::open(&house, &badge, hello("pve-01", VERSION))
        .await
        .unwrap();
    line.say(Message::Hello(hello("pve-01", VERSION))).await;
    assert_eq!(line.ended().await.code(), Code::InvalidArgument);
    house.log.line("hello comes once").await;
    assert_eq!(house.refusals.count(Reason::BadRequest), 1);

    let mut line = Line::open(&house, &badge, hello("pve-01", VERSION))
        .await
        .unwrap();
    line.say(Message::Events(v1::Events {
        spool_id: vec![0; 17 << 20],
        events: Vec::new(),
    }))
    .await;
    assert_eq!(line.ended().await.code(), Code::OutOfRange);
    let said = house.log.line("its message is too large").await;
    assert!(said.contains("/node/pve-01"), "{said}");
    assert_eq!(house.refusals.count(Reason::TooLarge), 1);
}

#[tokio::test]
async fn an_observer_sees_everything_says_so_and_gives_no_lease() {
    use model::identity::Role;

    let house = House::whole(Duty::Observer).await;
    let token = house.token(1).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut request = crate::house::request(&token, "pve-01", &key);
    let decides = v1::Authority {
        collector: OTHER.to_owned(),
        epoch: 1,
    };
    request.authority = Some(decides.clone());
    let answer = house.ask_to_enrol(&token, request).await.unwrap();
    assert!(!answer.is_authority);
    assert_eq!(answer.authority, None);
    assert_eq!(answer.collector, house.identities.id());
    let badge = Badge::of(answer, &key);
    let mut told = hello("pve-01", VERSION);
    told.authority = Some(decides.clone());
    let _open = Line::open(&house, &badge, told).await.unwrap();

    let operator = house.person(Role::Operator, "anna");
    let mut query = QueryClient::new(house.connect(&operator).await);
    let status = query.get_status(v1::GetStatusRequest::default()).await;
    let cluster = status.unwrap().into_inner().clusters.remove(0);
    assert!(cluster.is_observer && !cluster.is_authority);
    assert_eq!(cluster.authority, Some(decides));
    assert_eq!(cluster.nodes[0].standing(), v1::Standing::Connected);

    let mut gate = house.gate(&operator).await;
    let check = v1::CheckRequest {
        nodes: vec!["pve-01".to_owned()],
        ..v1::CheckRequest::default()
    };
    let seen = |verdict: v1::Verdict| {
        assert_eq!(verdict.answer(), v1::Answer::Unknown);
        assert!(
            verdict
                .sentence
                .starts_with("UNKNOWN - seen from an observer")
        );
        assert!(verdict.sentence.contains(OTHER), "{}", verdict.sentence);
        assert_eq!(verdict.reasons[0].kind, "observer");
    };
    seen(gate.check(check.clone()).await.unwrap().into_inner());
    let begin = v1::BeginRequest {
        check: Some(check),
        reason: "new kernel".to_owned(),
        r#override: "pve-01".to_owned(),
        ..v1::BeginRequest::default()
    };
    let begun = gate.begin(begin).await.unwrap().into_inner();
    seen(begun.verdict.unwrap());
    assert_eq!(begun.lease, None);
    let leases = v1::ListLeasesRequest::default();
    let unknown = gate.list_leases(leases).await.unwrap_err();
    assert_eq!(unknown.code(), Code::FailedPrecondition);
    assert!(unknown.message().contains("seen from an observer"));
}

#[tokio::test]
async fn a_cluster_that_has_a_collector_that_decides_is_refused_a_second_one_by_name() {
    let house = House::whole(Duty::Authority).await;
    let token = house.token(1).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut request = crate::house::request(&token, "pve-01", &key);
    request.authority = Some(v1::Authority {
        collector: OTHER.to_owned(),
        epoch: 1,
    });
    let why = house
        .ask_to_enrol(&token, request.clone())
        .await
        .unwrap_err();
    assert_eq!(why.code(), Code::FailedPrecondition);
    let said = house.log.line(Reason::Authority.sentence()).await;
    for text in [why.message(), &said] {
        for word in [OTHER, house.identities.id(), "init --observer"] {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }
    // Nothing was spent: with no other collector the same token is good.
    request.authority = None;
    house.ask_to_enrol(&token, request).await.unwrap();
}

#[tokio::test]
async fn a_gate_that_another_collector_contests_is_unknown_until_that_is_settled() {
    use model::identity::Role;

    let house = House::whole(Duty::Authority).await;
    let badge = house.agent("pve-01").await;
    let operator = house.person(Role::Operator, "anna");
    let mut gate = house.gate(&operator).await;
    let check = || v1::CheckRequest {
        nodes: vec!["pve-01".to_owned()],
        ..v1::CheckRequest::default()
    };
    let mut told = hello("pve-01", VERSION);
    told.authority = Some(v1::Authority {
        collector: OTHER.to_owned(),
        epoch: 7,
    });
    let _open = Line::open(&house, &badge, told).await.unwrap();
    let verdict = gate.check(check()).await.unwrap().into_inner();
    assert_eq!(verdict.answer(), v1::Answer::Unknown);
    assert!(
        verdict.sentence.contains("it is not settled which"),
        "{}",
        verdict.sentence
    );
    let _again = Line::open(&house, &badge, hello("pve-01", VERSION))
        .await
        .unwrap();
    let verdict = gate.check(check()).await.unwrap().into_inner();
    assert!(
        !verdict.sentence.contains("settled"),
        "{}",
        verdict.sentence
    );
}

/// Root on a node asks through its agent for all of its cluster, and an agent for itself nothing.
#[tokio::test]
async fn root_on_a_node_may_ask_for_its_cluster_and_an_agent_may_not() {
    let house = House::whole(Duty::Authority).await;
    let badge = house.agent("pve-01").await;
    let mut query = QueryClient::new(house.connect(&badge).await);
    let asked = v1::GetStatusRequest::default;
    let refused = query.get_status(asked()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    house
        .log
        .line("quorate.v1.Query/GetStatus is not for the role agent")
        .await;
    let mut as_root = tonic::Request::new(asked());
    let root = "root".parse().unwrap();
    let header = proto::role::ON_BEHALF_OF;
    as_root.metadata_mut().insert(header, root);
    query.get_status(as_root).await.unwrap();
}
