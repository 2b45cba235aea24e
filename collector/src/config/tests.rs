use model::name::{IfaceName, NodeName};
use model::topology::{Place, PortPattern, Service};
use settings::Settings as _;

use crate::fleetlock::{Known, Terms};

use super::*;

const EXAMPLE: &str = include_str!("../../../packaging/collector.toml");

fn parse(text: &str) -> Result<Config, SettingsError> {
    settings::parse(Path::new("collector.toml"), text)
}

/// What is said of a text, line by line.
#[track_caller]
fn check_wrong(text: &str, expect: &[&str]) {
    let said = parse(text).unwrap_err().to_string();
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), expect.len(), "{said:#?}");
    for (said, expect) in said.iter().zip(expect) {
        assert!(said.starts_with(expect), "{said}\n{expect}");
    }
}

/// The example with the settings that it shows as comments: a `#` with no blank behind it.
fn uncommented() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_holds_every_key_with_its_default() {
    let keys = |is_shown: fn(&settings::Table) -> bool| {
        let tables = Config::TABLES.iter().filter(move |table| is_shown(table));
        let inner =
            tables.flat_map(|table| table.keys.iter().map(|key| format!("{}.{key}", table.name)));
        let own = Config::KEYS.iter().map(|key| (*key).to_owned());
        let mut keys: Vec<String> = own.chain(inner).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(settings::in_text(EXAMPLE), keys(|table| !table.is_list));
    assert_eq!(settings::in_text(&uncommented()), keys(|_| true));
    assert_eq!(parse(EXAMPLE).unwrap(), Config::default());
    assert!(EXAMPLE.starts_with(&format!("# {DEFAULT_FILE}: ")));
}

#[test]
fn what_the_example_shows_as_comments_is_good_too() {
    let config = parse(&uncommented()).unwrap();
    let site = config.site();
    assert_eq!(site.switches.len(), 2);
    assert_eq!(site.place_of(Service::Qdevice), Some(&Place::External));
    assert_eq!(config.thresholds().overrides.len(), 1);
    // Three of them are shown in two ways.
    let receivers = crate::notify::receivers::named(&config);
    assert_eq!(receivers.len(), crate::notify::receivers::KINDS.len() + 3);
}

#[test]
fn declarations_and_thresholds_are_read() {
    let text = "[thresholds]\nflaps = 9\n[[switch]]\nname = 'sw-a'\nports = ['pve-0[1-8]/eno1']\n\
                [[dependency]]\nservice = 'qdevice'\non = 'pve-03'\n\
                [[override]]\nnode = 'pve-03'\ninterface = 'eno1'\nflaps = 20\n";
    let config = parse(text).unwrap();
    let (site, thresholds) = (config.site(), config.thresholds());
    assert_eq!(site.switches[0].name, "sw-a");
    assert_eq!(
        site.switches[0].ports,
        [PortPattern::new("pve-0[1-8]/eno1").unwrap()]
    );
    let node = NodeName::new("pve-03").unwrap();
    assert_eq!(
        site.place_of(Service::Qdevice),
        Some(&Place::Node(node.clone()))
    );
    assert_eq!(site.place_of(Service::Collector), None);
    assert_eq!(thresholds.of(&node).flaps(), 9);
    let iface = IfaceName::new("eno1").unwrap();
    assert_eq!(thresholds.of(&node).interface(&iface).flaps(), 20);
}

#[test]
fn every_mistake_in_a_declaration_is_named_at_once_with_its_line() {
    check_wrong(
        "[[switch]]\n\
         name = ''\n\
         ports = ['pve-01']\n\
         port = 1\n\
         [[switch]]\n\
         name = 'a'\n\
         ports = ['*/eno1']\n\
         [[switch]]\n\
         name = 'a'\n\
         ports = ['*/eno1', 'x/y']\n\
         [[switch]]\n\
         ports = 'x/y'\n\
         [[dependency]]\n\
         service = 'dns'\n\
         on = 'a node'\n\
         [[dependency]]\n\
         service = 'qdevice'\n\
         [[dependency]]\n\
         service = 'qdevice'\n\
         on = 'external'\n",
        &[
            "collector.toml:2: `switch.name` must be a name in quotes, of at most 100 letters, and is \"\"",
            "collector.toml:3: `switch.ports` must be a list of ports in quotes, such as [\"pve-0[1-8]/eno1\"]: \"pve-01\" \
             names no port",
            "collector.toml:4: unknown key `switch.port`; the nearest known key is `switch.ports`, and all are: name, ports",
            "collector.toml:9: `switch.name` \"a\" is named by two [[switch]]: put all of its ports into one",
            "collector.toml:10: `switch.ports` names */eno1, which stands below switch \"a\" already",
            "collector.toml:11: `switch.name` is missing",
            "collector.toml:12: `switch.ports` must be a list of ports in quotes, such as [\"pve-0[1-8]/eno1\"], and is a text",
            "collector.toml:14: `dependency.service` must be \"qdevice\" or \"collector\", and is \"dns\"",
            "collector.toml:15: `dependency.on` must be \"external\", the name of a node, or \"guest 105\": \"a node\" is not",
            "collector.toml:16: `dependency.on` is missing",
            "collector.toml:19: `dependency.service` is qdevice in two [[dependency]]: it runs in one place",
        ],
    );
    check_wrong(
        "[thresholds]\n\
         flap = 3\n\
         flaps = 0\n\
         latency_critical_us = 100\n\
         [[override]]\n\
         flaps = 3\n\
         [[override]]\n\
         node = 'pve-01'\n\
         interface = 'a b'\n",
        &[
            "collector.toml:2: unknown key `thresholds.flap`; the nearest known key is `thresholds.flaps`, and all are: flaps,",
            "collector.toml:3: `thresholds.flaps` must be a whole number of flaps from 1 to 1000000000, and is 0",
            "collector.toml:4: `thresholds.latency_critical_us` must be no less than `thresholds.latency_warning_us`, which \
             is 2000",
            "collector.toml:5: `override.node` is missing: name a node, an interface or both",
            "collector.toml:8: `override.node` stands without any threshold",
            "collector.toml:9: `override.interface` must be the name of an interface in quotes: \"a b\" is not",
        ],
    );
}

#[test]
fn fleetlock_is_off_unless_somebody_says_where_and_for_whom() {
    assert_eq!(parse("").unwrap().fleetlock(), None);
    let networks = "[fleetlock]\nnetworks = ['192.0.2.0/24']\n";
    assert_eq!(parse(networks).unwrap().fleetlock(), None);
    let on = format!(
        "{networks}listen = '[::1]:7462'\n[[fleetlock.client]]\nid = 'c98'\nnode = 'pve-03'\n"
    );
    let expect = Terms {
        listen: "[::1]:7462".parse().unwrap(),
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        known: vec![Known {
            id: "c98".to_owned(),
            node: NodeName::new("pve-03").unwrap(),
            cluster: String::new(),
        }],
    };
    assert_eq!(parse(&on).unwrap().fleetlock(), Some(expect));
    check_wrong(
        "[fleetlock]\n\
         listen = '[::]:7462'\n",
        &["collector.toml:2: `fleetlock.listen` needs `fleetlock.networks`"],
    );
    check_wrong(
        "[fleetlock]\n\
         listen = 'everywhere'\n\
         networks = ['192.0.2.5/24']\n\
         [[fleetlock.client]]\n\
         id = 'a b'\n\
         node = 'pve-01'\n\
         [[fleetlock.client]]\n\
         id = 'c98'\n\
         node = 'pve-01'\n\
         [[fleetlock.client]]\n\
         id = 'c98'\n\
         nod = 'pve-02'\n",
        &[
            "collector.toml:2: `fleetlock.listen` must be IP:PORT in quotes",
            "collector.toml:3: `fleetlock.networks` must be a list of networks in quotes, such as [\"192.0.2.0/24\", \"2001:db8::/64\"], \
             and is \"192.0.2.5/24\", which is an address in 192.0.2.0/24",
            "collector.toml:5: `fleetlock.client.id` must be what the client calls itself, in quotes",
            "collector.toml:10: `fleetlock.client.node` is missing",
            "collector.toml:11: `fleetlock.client.id` \"c98\" is in two [[fleetlock.client]]",
            "collector.toml:12: unknown key `fleetlock.client.nod`; the nearest known key is `fleetlock.client.node`",
        ],
    );
}

#[test]
fn what_the_page_on_the_collector_shows_is_good() {
    let page = include_str!("../../../docs/collector.md");
    let shown = page.split("```toml\n").nth(1).unwrap();
    let config = parse(shown.split("```").next().unwrap()).unwrap();
    assert_eq!(config.fleetlock().unwrap().known.len(), 1);
}

#[test]
fn every_receiver_that_the_page_on_alerts_shows_is_good() {
    let page = include_str!("../../../docs/alerts.md");
    let shown: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|from| from.split("```").next().unwrap())
        .collect();
    for block in &shown {
        let config = parse(block).unwrap();
        let is_of_routes = block.contains("[[route]]");
        let receivers = crate::notify::receivers::named(&config).len();
        assert!(receivers == 1 || is_of_routes, "{block}");
    }
    let all = shown.concat();
    for kind in crate::notify::receivers::KINDS {
        assert!(all.contains(&format!("[[receiver.{kind}]]")), "{kind}");
    }
}

#[test]
fn without_a_route_everybody_is_told_and_with_routes_who_stands_in_one() {
    let receivers = "[[receiver.ntfy]]\nname = 'oncall'\ntopic = 't'\n[[receiver.ntfy]]\nname = 'team'\ntopic = 'u'\n";
    let policy = parse(receivers).unwrap().policy();
    assert_eq!(policy.routes.len(), 1);
    assert_eq!(policy.routes[0].to, policy.receivers);
    assert_eq!(policy.routes[0].repeat_ms, Some(24 * 3_600_000));
    let routes =
        "[[route]]\nto = ['on*']\nhours = '22:00-06:00'\n[[route]]\nto = ['team']\nrepeat_h = 0\n";
    let policy = parse(&format!("{receivers}{routes}")).unwrap().policy();
    assert_eq!(policy.routes[0].to, ["oncall".to_owned()].into());
    let times = policy.routes[0].times.as_ref().unwrap();
    assert_eq!((times.from_min, times.to_min), (22 * 60, 6 * 60));
    assert_eq!(policy.routes[1].repeat_ms, None);
    assert_eq!(policy.routes[1].times, None);
}

#[test]
fn routes_to_nobody_of_rules_that_are_none_and_receivers_that_are_never_told_are_named() {
    check_wrong(
        "[[receiver.ntfy]]\nname = 'oncall'\ntopic = 't'\n\
         [[route]]\nto = ['nobody']\nrules = ['bond-degarded']\nhours = '8-18'\nzone = 'Mars/Olympus'\n\
         [[route]]\nseverity = 'bad'\ndays = ['monday']\n",
        &[
            "collector.toml:2: `receiver.ntfy.name` \"oncall\" stands in no [[route]]",
            "collector.toml:5: `route.to` names \"nobody\", and no receiver is called so: there are oncall",
            "collector.toml:6: `route.rules` names \"bond-degarded\", and no rule is called so: `quorate explain` lists them",
            "collector.toml:7: `route.hours` must be hours such as \"08:00-18:00\"",
            "collector.toml:8: `route.zone` must be the name of a time zone",
            "collector.toml:9: `route.to` is missing: name a receiver",
            "collector.toml:10: `route.severity` must be \"info\", \"warning\" or \"critical\", and is \"bad\"",
            "collector.toml:11: `route.days` must be a list of days",
        ],
    );
}

#[test]
fn every_mistake_in_a_receiver_is_named_at_once_with_its_line_and_no_secret_is() {
    check_wrong(
        "[[receiver.slack]]\n\
         name = 'Ops'\n\
         token = 'xoxb-1'\n\
         [[receiver.ntfy]]\n\
         name = 'phone'\n\
         topic = 'file:relative-s3cret'\n\
         [[receiver.gotify]]\n\
         name = 'gotify'\n\
         server = 'https://me:s3cret@gotify.example'\n\
         [[receiver.command]]\n\
         name = 'gotify'\n\
         program = 'page-me'\n\
         [[receiver.slak]]\n\
         name = 'x'\n",
        &[
            "collector.toml:1: `receiver.slack.channel` is missing: `token` needs it",
            "collector.toml:2: `receiver.slack.name` must be a name in quotes: at most 64 of a to z, 0 to 9 and -, and is \"Ops\"",
            "collector.toml:6: `receiver.ntfy.topic` must be a secret in quotes, or better \"file:/absolute/path\", \"env:NAME\" or \
             \"credential:NAME\", and is something else behind the colon",
            "collector.toml:7: `receiver.gotify.token` is missing",
            "collector.toml:9: `receiver.gotify.server` must be an address in quotes that begins with https:// or http://, with no \
             password in it, and is another one",
            "collector.toml:11: `receiver.command.name` \"gotify\" is the name of another one, of [[receiver.gotify]]",
            "collector.toml:12: `receiver.command.program` must be an absolute path in quotes",
            "collector.toml:13: unknown key `receiver.slak`; the nearest known key is `receiver.slack`",
        ],
    );
}

#[test]
fn nothing_said_is_the_default_and_what_is_said_is_taken() {
    assert_eq!(parse("").unwrap(), Config::default());
    let text = "state_dir = '/srv/q'\nlisten = '192.0.2.1:7000'\naddresses = ['a.example', '[::1]:7000']\n\
                enrolment.listen = '[::1]:0'\n";
    let expect = Config {
        state_dir: PathBuf::from("/srv/q"),
        listen: "192.0.2.1:7000".parse().unwrap(),
        addresses: vec!["a.example".to_owned(), "[::1]:7000".to_owned()],
        enrolment_listen: "[::1]:0".parse().unwrap(),
        ..Config::default()
    };
    assert_eq!(parse(text).unwrap(), expect);
}

#[test]
fn health_and_metrics_are_for_this_machine_alone() {
    let listens = |text: &str| parse(text).unwrap().http_listen;
    let at = |address: &str| Some(address.parse().unwrap());
    assert_eq!(listens(""), at("127.0.0.1:7463"));
    assert_eq!(listens("http.listen = ''"), None);
    for own in ["[::1]:9000", "127.0.0.9:9000", "[::ffff:127.0.0.1]:9000"] {
        assert_eq!(listens(&format!("http.listen = '{own}'")), at(own));
    }
    for other in ["0.0.0.0:7463", "[::]:7463", "192.0.2.1:7463"] {
        let why = format!(
            "collector.toml:1: `http.listen` must be an address of this machine alone, such as \"127.0.0.1:7463\" or \
             \"[::1]:7463\", because whoever asks there needs no login and sees no TLS, and is \"{other}\""
        );
        check_wrong(&format!("http.listen = '{other}'"), &[&why]);
    }
    check_wrong(
        "http.listen = 7463",
        &["collector.toml:1: `http.listen` must be IP:PORT in quotes"],
    );
}

#[test]
fn every_wrong_key_and_value_is_named_at_once_with_its_line() {
    check_wrong(
        "lsiten = 'x'\n\
         state_dir = 'relative'\n\
         listen = 7460\n\
         addresses = ['a b']\n\
         [enrolment]\n\
         listen = 'localhost'\n\
         [enrolments]\n\
         listen = 'x'\n",
        &[
            "collector.toml:1: unknown key `lsiten`; the nearest known key is `listen`, and all are: state_dir, ",
            "collector.toml:2: `state_dir` must be an absolute path in quotes, and is \"relative\"",
            "collector.toml:3: `listen` must be IP:PORT in quotes",
            "collector.toml:4: `addresses` must be a list of addresses in quotes, such as [\"quorate.example\"]: \"a b\" is not",
            "collector.toml:6: `enrolment.listen` must be IP:PORT in quotes",
            "collector.toml:7: unknown key `enrolments`",
        ],
    );
    check_wrong(
        "enrolment = 3",
        &["collector.toml:1: `enrolment` is a table: write [enrolment]"],
    );
    check_wrong("\n\n[enrolment\n", &["collector.toml:3: "]);
}

#[test]
fn the_default_file_need_not_be_there_but_a_named_one_must() {
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("collector.toml");
    let error = Config::read(Some(&named)).unwrap_err();
    assert!(error.to_string().contains("collector.toml cannot be read"));
    std::fs::write(&named, "state_dir = '/a'\n").unwrap();
    let config = Config::read(Some(&named)).unwrap();
    assert_eq!(config.state_dir, Path::new("/a"));
    if !Path::new(DEFAULT_FILE).exists() {
        assert_eq!(Config::read(None).unwrap(), Config::default());
    }
}
