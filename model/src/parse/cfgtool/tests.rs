use super::*;

const HEALTHY: &str = include_str!("../../../fixtures/cfgtool/corosync-3.1.7-s-4-nodes.txt");
const CUT: &str = include_str!("../../../fixtures/cfgtool/corosync-3.1.7-s-one-link-cut.txt");
const CUT_BY_NODE: &str =
    include_str!("../../../fixtures/cfgtool/corosync-3.1.7-n-one-link-cut.txt");
const RINGS: &str = "Printing ring status.\nLocal node ID 16777226\nRING ID 0\n\tid\t= 10.0.0.1\n\
                     \tstatus\t= Marking ringid 0 interface 10.0.0.1 FAULTY\nRING ID 1\n\tid\t= 172.16.0.1\n\
                     \tstatus\t= ring 1 active with no faults\n";

fn read(text: &str) -> Corosync {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

fn links(text: &str) -> Vec<LinkStatus> {
    read(text).links.unwrap()
}

/// Node id and connected of every node of a link.
fn connected(link: &LinkStatus) -> Vec<(u32, Option<bool>)> {
    let peers = link.peers.as_ref().unwrap();
    peers
        .iter()
        .map(|peer| (peer.node_id, peer.connected))
        .collect()
}

#[track_caller]
fn check_words(words: &str, connected: Option<bool>, enabled: Option<bool>) {
    let link = links(&format!("LINK ID 0\n\tstatus:\n\t\tnodeid  2:\t{words}\n")).remove(0);
    let peer = link.peers.unwrap().remove(0);
    assert_eq!(
        (peer.connected, peer.enabled),
        (connected, enabled),
        "{words}"
    );
    assert_eq!(peer.status.as_deref(), Some(words));
}

#[track_caller]
fn check_bad(text: &str, line_number: usize, why: &str) -> Corosync {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 1, "{:?}", parsed.bad_lines);
    let said = &parsed.bad_lines[0];
    assert_eq!(said.line_number, line_number);
    assert!(said.why.contains(why), "{said}");
    parsed.value
}

#[test]
fn every_link_has_every_node_on_it() {
    let corosync = read(HEALTHY);
    assert_eq!(corosync.node_id, Some(1));
    assert_eq!(corosync.transport.as_deref(), Some("knet"));
    let links = corosync.links.unwrap();
    assert_eq!(links.len(), 2);
    assert_eq!(links[1].link, 1);
    assert_eq!(links[1].transport.as_deref(), Some("udp"));
    assert_eq!(links[1].address.as_deref(), Some("10.21.0.11"));
    assert_eq!(
        connected(&links[1]),
        [(1, None), (2, Some(true)), (3, Some(true)), (4, Some(true))]
    );
    let local: Vec<_> = links[1]
        .peers
        .iter()
        .flatten()
        .map(|peer| peer.local)
        .collect();
    assert_eq!(local, [Some(true), Some(false), Some(false), Some(false)]);
    assert_eq!(corosync.quorate, None);
    assert_eq!(corosync.members, None);
}

#[test]
fn a_cut_cable_is_one_peer_on_one_link() {
    let links = links(CUT);
    assert_eq!(connected(&links[0])[1], (2, Some(true)));
    assert_eq!(connected(&links[1])[1], (2, Some(false)));
    assert_eq!(connected(&links[1])[2], (3, Some(true)));
}

#[test]
fn the_same_links_are_read_node_by_node() {
    let corosync = read(CUT_BY_NODE);
    let links = corosync.links.unwrap();
    assert_eq!(links[1].address.as_deref(), Some("10.21.0.11"));
    assert_eq!(
        connected(&links[1]),
        [(2, Some(false)), (3, Some(true)), (4, Some(true))]
    );
    let peer = &links[1].peers.as_ref().unwrap()[0];
    assert_eq!(peer.enabled, Some(true));
    assert_eq!(peer.address.as_deref(), Some("10.21.0.12"));
    assert_eq!(peer.mtu_bytes, Some(1446));
    let ids: Vec<_> = corosync
        .reachable
        .unwrap()
        .iter()
        .map(|node| node.node_id)
        .collect();
    assert_eq!(ids, [2, 3, 4]);
}

#[test]
fn a_node_that_is_down_is_disconnected_or_not_named_at_all() {
    let by_link = links(include_str!(
        "../../../fixtures/cfgtool/corosync-3.1.7-s-node-4-down.txt"
    ));
    assert_eq!(connected(&by_link[0])[3], (4, Some(false)));
    let by_node = links(include_str!(
        "../../../fixtures/cfgtool/corosync-3.1.7-n-node-4-down.txt"
    ));
    assert_eq!(connected(&by_node[0]), [(2, Some(true)), (3, Some(true))]);
}

#[test]
fn without_knet_the_address_by_node_is_that_of_the_peer() {
    let corosync = read(include_str!(
        "../../../fixtures/cfgtool/corosync-3.1.7-n-udpu-ipv6.txt"
    ));
    assert_eq!(corosync.node_id, Some(u32::MAX));
    assert_eq!(corosync.transport.as_deref(), Some("udpu"));
    let link = corosync.links.unwrap().remove(0);
    assert_eq!((link.address, link.transport), (None, None));
    assert_eq!(
        link.peers.unwrap()[0].address.as_deref(),
        Some("fd00:20::12")
    );

    let link = links(include_str!(
        "../../../fixtures/cfgtool/corosync-3.1.7-s-udpu-ipv6.txt"
    ))
    .remove(0);
    assert_eq!(connected(&link), [(7, Some(true)), (u32::MAX, None)]);
}

#[test]
fn the_manual_pages_form_by_node_is_read() {
    let text = "Local node ID 1, transport knet\nnodeid: 2 reachable remote   onwire (min/max/cur): 0, 1, 1\n   \
                LINK: 0 (10.0.1.1->10.0.1.2)  enabled connected mtu: 1397\n   LINK: 2 (10.0.9.1->10.0.9.2)  enabled mtu: 469\n";
    let corosync = read(text);
    let node = &corosync.reachable.unwrap()[0];
    assert_eq!(node.words, ["reachable", "remote"]);
    assert_eq!(
        (node.onwire_min, node.onwire_max, node.onwire),
        (Some(0), Some(1), Some(1))
    );
    let links = corosync.links.unwrap();
    assert_eq!(links[1].link, 2);
    assert_eq!(connected(&links[1]), [(2, Some(false))]);
    assert_eq!(links[0].peers.as_ref().unwrap()[0].mtu_bytes, Some(1397));
}

#[test]
fn a_brief_status_has_places_and_no_node_ids() {
    let links = links(include_str!(
        "../../../fixtures/cfgtool/corosync-3.1.7-sb-one-link-cut.txt"
    ));
    assert_eq!(links[1].status.as_deref(), Some("n133"));
    assert_eq!(links[1].peers, None);
    assert_eq!(links[1].faulty, None);
    let places = links[1].positions.as_ref().unwrap();
    let said: Vec<_> = places
        .iter()
        .map(|at| (at.local, at.enabled, at.connected))
        .collect();
    let no = Some(false);
    let yes = Some(true);
    assert_eq!(
        said,
        [
            (yes, None, None),
            (no, yes, no),
            (no, yes, yes),
            (no, yes, yes)
        ]
    );
}

#[test]
fn letters_for_errors_of_knet_say_nothing_of_the_link() {
    let places = links("LINK ID 0\n\tstatus\t= ?d02\n")[0]
        .positions
        .clone()
        .unwrap();
    let said: Vec<_> = places.iter().map(|at| (at.enabled, at.connected)).collect();
    let (no, yes) = (Some(false), Some(true));
    assert_eq!(said, [(None, None), (None, None), (no, no), (no, yes)]);
    assert!(places.iter().all(|at| at.local.is_none()));
}

#[test]
fn rings_of_corosync_2_are_faulty_or_not_and_have_no_peers() {
    let corosync = read(RINGS);
    assert_eq!(corosync.node_id, Some(16_777_226));
    let links = corosync.links.unwrap();
    assert_eq!(
        (links[0].faulty, links[1].faulty),
        (Some(true), Some(false))
    );
    assert_eq!(links[1].address.as_deref(), Some("172.16.0.1"));
    assert_eq!(
        links[1].status.as_deref(),
        Some("ring 1 active with no faults")
    );
    assert!(links.iter().all(|link| link.peers.is_none()));
    let counting = "RING ID 0\n\tid = 10.0.0.1\n\tstatus = Incrementing problem counter for seqid 1 iface 10.0.0.1 to [1 of 10]\n";
    assert_eq!(read(counting).links.unwrap()[0].faulty, None);
}

#[test]
fn early_corosync_3_is_read_in_all_its_forms() {
    let udp = links(
        "Printing link status.\nLocal node ID 7\nLink ID 0\n        addr      = 172.16.0.1\n        status    = OK",
    );
    assert_eq!(udp[0].address.as_deref(), Some("172.16.0.1"));
    assert_eq!((udp[0].faulty, &udp[0].positions), (Some(false), &None));

    let by_id = "Local node ID 4\nLINK ID 1\n\taddr\t= 10.0.0.4\n\tstatus:\n\t\tnodeid  4:\tlink enabled:0\tlink connected:1\n\
                 \t\tnodeid  7:\tlink enabled:1\tlink connected:0\n";
    let link = links(by_id).remove(0);
    assert_eq!(connected(&link), [(4, None), (7, Some(false))]);
    assert_eq!(link.peers.unwrap()[0].local, Some(true));

    let by_place = by_id
        .replace("nodeid  4", "node 0")
        .replace("nodeid  7", "node 1");
    let link = links(&by_place).remove(0);
    assert_eq!(link.peers, None, "a place is no node id");
    let places = link.positions.unwrap();
    assert_eq!((places[1].position, places[1].connected), (1, Some(false)));
}

#[test]
fn words_that_are_not_known_make_the_known_ones_worthless() {
    check_words("connected", Some(true), None);
    check_words("disconnected", Some(false), None);
    check_words("link enabled:1 link connected:0", Some(false), Some(true));
    check_words("not connected", None, None);
    check_words("connected (dormant)", None, None);
    check_words("knet error", None, None);
    let text = "nodeid: 2 reachable\n LINK: 0 udp (a->b) enabled hardly connected mtu: 9\n";
    let link = links(text).remove(0);
    assert_eq!(connected(&link), [(2, None)]);
}

#[test]
fn crlf_indentation_and_a_missing_final_newline_change_nothing() {
    for text in [HEALTHY, CUT_BY_NODE, RINGS] {
        let plain = read(text);
        assert_eq!(read(&text.replace('\n', "\r\n")), plain);
        assert_eq!(read(text.trim_end()), plain);
        assert_eq!(read(&format!("\t{}", text.replace('\n', "\n\t"))), plain);
        assert_eq!(read(&text.replace('\t', "    ")), plain);
    }
}

#[test]
fn without_a_head_line_localhost_says_which_node_it_is() {
    let (_, text) = HEALTHY.split_once('\n').unwrap();
    let corosync = read(text);
    assert_eq!(corosync.node_id, Some(1));
    assert_eq!(corosync.links, read(HEALTHY).links);
}

#[test]
fn lines_of_a_link_that_cannot_be_read_are_given_to_nobody() {
    let text = HEALTHY.replace("LINK ID 1 udp", "LINK ID one udp");
    let parsed = parse(&text).unwrap();
    assert_eq!(parsed.value.links.unwrap().len(), 1);
    let numbers: Vec<_> = parsed.bad_lines.iter().map(|bad| bad.line_number).collect();
    assert_eq!(numbers, [9, 10, 12, 13, 14, 15]);
    check_bad(
        "LINK: 0 udp (a->b) enabled mtu: 9\n",
        1,
        "no node stands before",
    );
    check_bad("\taddr\t= 10.0.0.1\n", 1, "no readable `LINK ID`");
}

#[test]
fn a_bad_line_costs_its_own_value_and_nothing_else() {
    let text = HEALTHY.replace("2:\tconnected", "x:\tconnected");
    assert_eq!(parse(&text).unwrap().bad_lines.len(), 2);
    let corosync = check_bad("Local node ID x, transport knet\nLINK ID 0\n", 1, "node id");
    assert_eq!(
        (corosync.node_id, corosync.transport.as_deref()),
        (None, Some("knet"))
    );
    check_bad("LINK ID 0\n\taddr\t=\n", 2, "missing");
    check_bad("LINK ID 0\nnodeid: 0:\tdisconnected\n", 2, "never zero");
    check_bad(
        "LINK ID 0\nnodeid 1: connected\nnodeid 1: disconnected\n",
        3,
        "already",
    );
    check_bad(
        "nodeid: 2 reachable onwire (min/max/cur): 0, x, 1\n",
        1,
        "onwire",
    );
    let corosync = check_bad("nodeid: 2 reachable\nLINK: 0 udp (a->b) ena", 2, "no mtu");
    assert_eq!(corosync.links, None);
    let corosync = check_bad(
        "nodeid: 2 reachable\nLINK: 0 udp (a->b) enabled mtu: x",
        2,
        "mtu",
    );
    assert_eq!(connected(&corosync.links.unwrap()[0]), [(2, Some(false))]);
}

#[test]
fn a_complaint_between_facts_is_kept_beside_them() {
    let complaint = "Could not get the node status for nodeid 3, the error is: 12\n";
    let corosync = check_bad(&format!("{complaint}{HEALTHY}"), 1, "failed here");
    assert_eq!(corosync, read(HEALTHY));
}

#[test]
fn a_tool_that_failed_is_never_a_node_without_links() {
    let captured = include_str!("../../../fixtures/cfgtool/corosync-3.1.7-not-running.txt");
    let message = "Could not initialize corosync configuration API error 2".to_owned();
    let text = format!("Printing link status.\n{message}\n");
    let failed = Err(Unreadable::ToolFailed { message });
    assert_eq!(parse(captured), failed);
    assert_eq!(parse(&text), failed);
}

#[test]
fn any_cut_of_a_text_is_read_without_harm() {
    for text in [HEALTHY, CUT_BY_NODE, RINGS] {
        for end in 0..text.len() {
            let _ = parse(&text[..end]);
        }
    }
}

#[test]
fn too_many_nodes_are_not_kept() {
    let rows: String = (1..=MAX_NODES + 2)
        .map(|id| format!("nodeid {id}: connected\n"))
        .collect();
    let parsed = parse(&format!("LINK ID 0\n{rows}")).unwrap();
    assert_eq!(
        parsed.value.links.unwrap()[0].peers.as_ref().unwrap().len(),
        MAX_NODES
    );
    assert_eq!(parsed.bad_lines.len(), 2);
    check_bad(
        &format!("LINK ID 0\nstatus = {}\n", "3".repeat(9999)),
        2,
        "more than",
    );
}

#[test]
fn an_empty_or_foreign_text_is_no_answer() {
    assert_eq!(parse("\r\n\n"), Err(Unreadable::Empty));
    assert!(matches!(
        parse("hello = world"),
        Err(Unreadable::Foreign { .. })
    ));
    assert!(matches!(
        parse("Printing link status.\n"),
        Err(Unreadable::Foreign { .. })
    ));
}

#[test]
fn a_text_that_was_cut_anywhere_says_nothing_else_than_the_whole() {
    let texts = [
        "Local node ID 12, transport knet\nLINK ID 0 udp\n\taddr\t= 10.71.0.12\n\tstatus:\n\
            \t\tnodeid:         12:\tlocalhost\n\t\tnodeid:         13:\tdisconnected\n",
        "Printing link status.\nLocal node ID 12\nLINK ID 0\n\taddr\t= 10.71.0.12\n\tstatus:\n\
            \t\tnodeid 12:\tlink enabled:0\tlink connected:1\n\t\tnodeid 13:\tlink enabled:1\tlink connected:0\n",
        "Local node ID 12, transport knet\nnodeid: 13 reachable\n   \
            LINK: 0 udp (10.71.0.12->10.71.0.13) enabled mtu: 8885\n\n",
    ];
    for whole_text in texts {
        let whole = parse(whole_text).unwrap().value;
        for end in 0..whole_text.len() {
            let text = &whole_text[..end];
            let Ok(parsed) = parse(text) else { continue };
            let part = parsed.value;
            assert!(part.node_id.is_none_or(|id| id == 12), "{text}");
            for link in part.links.iter().flatten() {
                let known = &whole.links.as_ref().unwrap()[0];
                assert!(
                    link.address.is_none() || link.address == known.address,
                    "{text}"
                );
                for peer in link.peers.iter().flatten() {
                    let mut peers = known.peers.iter().flatten();
                    let known = peers.find(|known| known.node_id == peer.node_id);
                    let known = known.unwrap_or_else(|| panic!("{text}"));
                    assert!(
                        peer.connected.is_none() || peer.connected == known.connected,
                        "{text}"
                    );
                    assert!(
                        peer.mtu_bytes.is_none() || peer.mtu_bytes == known.mtu_bytes,
                        "{text}"
                    );
                    assert!(
                        peer.address.is_none() || peer.address == known.address,
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_opposites_of_the_words_below_a_node_are_understood() {
    let text = "Local node ID 1, transport knet\nnodeid: 2 reachable\n   \
        LINK: 0 udp (10.71.0.1->10.71.0.2) enabled disconnected mtu: 1397\n   \
        LINK: 1 udp (10.72.0.1->10.72.0.2) disabled disconnected mtu: 469\n";
    let links = parse(text).unwrap().value.links.unwrap();
    let peers: Vec<_> = links
        .iter()
        .flat_map(|link| link.peers.iter().flatten())
        .collect();
    assert_eq!(peers[0].connected, Some(false));
    assert_eq!(peers[0].enabled, Some(true));
    assert_eq!(peers[1].enabled, Some(false));
}
