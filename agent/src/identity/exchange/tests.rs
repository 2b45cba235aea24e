use super::*;

#[track_caller]
fn check(text: &str, expect: Option<&str>) {
    assert_eq!(with_port(text, 7461).ok().as_deref(), expect, "{text}");
}

#[test]
fn an_address_gets_the_port_that_it_lacks() {
    check("collector.example", Some("collector.example:7461"));
    check("10.0.0.9:7000", Some("10.0.0.9:7000"));
    check("fd00::9", Some("[fd00::9]:7461"));
    check("[fd00::9]", Some("[fd00::9]:7461"));
    check("[fd00::9]:7000", Some("[fd00::9]:7000"));
    for bad in ["", "a b", "https://a", "a:b", ":7461", "a:99999"] {
        check(bad, None);
    }
}
