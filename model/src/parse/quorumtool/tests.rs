use super::*;

const HEALTHY: &str = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-4-nodes.txt");
const BLOCKED: &str =
    include_str!("../../../fixtures/quorumtool/corosync-3.1.7-2-of-4-blocked.txt");

fn read(text: &str) -> Corosync {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines, [], "{text}");
    parsed.value
}

fn members(text: &str) -> Vec<Member> {
    read(text).members.unwrap()
}

/// One row below the given header: flags and name of the node.
#[track_caller]
fn check_row(header: &str, row: &str, flags: Option<&str>, name: Option<&str>) {
    let members = members(&format!("{header}\n{row}\n"));
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].qdevice_flags.as_deref(), flags, "{row}");
    assert_eq!(members[0].name.as_deref(), name, "{row}");
    assert_eq!(members[0].votes, Some(1), "{row}");
}

#[track_caller]
fn check_qdevice(row: &str, votes: u32, if_cast: Option<u32>, flags: Option<&str>) {
    let header = "    Nodeid      Votes    Qdevice Name";
    let qdevice = read(&format!("{header}\n{row}\n")).qdevice.unwrap();
    assert_eq!(qdevice.votes, Some(votes), "{row}");
    assert_eq!(qdevice.votes_if_cast, if_cast, "{row}");
    assert_eq!(qdevice.flags.as_deref(), flags, "{row}");
    assert_eq!(qdevice.name.as_deref(), Some("Qdevice"), "{row}");
}

#[track_caller]
fn check_bad(text: &str, line_number: usize, why: &str) -> Corosync {
    let parsed = parse(text).unwrap();
    assert_eq!(parsed.bad_lines.len(), 1, "{:?}", parsed.bad_lines);
    assert_eq!(parsed.bad_lines[0].line_number, line_number);
    let said = &parsed.bad_lines[0];
    assert!(said.why.contains(why), "{said}");
    parsed.value
}

#[track_caller]
fn check_failed(text: &str, words: &str) {
    let message = words.to_owned();
    assert_eq!(parse(text), Err(Unreadable::ToolFailed { message }));
}

#[test]
fn a_healthy_cluster_is_read_whole() {
    let corosync = read(HEALTHY);
    assert_eq!(corosync.date.as_deref(), Some("Sat Nov 21 04:17:36 2026"));
    assert_eq!(
        corosync.quorum_provider.as_deref(),
        Some("corosync_votequorum")
    );
    assert_eq!(corosync.node_count, Some(4));
    assert_eq!(corosync.node_id, Some(1));
    assert_eq!(corosync.ring_id.as_deref(), Some("1.d"));
    assert_eq!(corosync.quorate, Some(true));
    assert_eq!(corosync.expected_votes, Some(4));
    assert_eq!(corosync.highest_expected, Some(4));
    assert_eq!(corosync.total_votes, Some(4));
    assert_eq!(corosync.quorum, Some(3));
    assert_eq!(corosync.activity_blocked, Some(false));
    assert_eq!(corosync.flags, Some(vec!["Quorate".to_owned()]));
    assert_eq!(corosync.qdevice, None);
    let members = corosync.members.unwrap();
    let names: Vec<_> = members
        .iter()
        .flat_map(|member| member.name.as_deref())
        .collect();
    assert_eq!(names, ["pve-01", "pve-02", "pve-03", "pve-04"]);
    let local: Vec<_> = members.iter().map(|member| member.local).collect();
    assert_eq!(local, [Some(true), Some(false), Some(false), Some(false)]);
    assert!(members.iter().all(|member| member.votes == Some(1)));
    // What this tool does not say.
    assert_eq!(corosync.cluster_name, None);
    assert_eq!(corosync.links, None);
}

#[test]
fn without_quorum_activity_is_blocked_and_there_are_no_flags() {
    let corosync = read(BLOCKED);
    assert_eq!(corosync.quorate, Some(false));
    assert_eq!(corosync.quorum, Some(3));
    assert_eq!(corosync.activity_blocked, Some(true));
    assert_eq!(corosync.flags, Some(Vec::new()));
    assert_eq!(corosync.members.unwrap().len(), 2);
}

#[test]
fn crlf_indentation_and_a_missing_final_newline_change_nothing() {
    let plain = read(HEALTHY);
    assert_eq!(read(&HEALTHY.replace('\n', "\r\n")), plain);
    assert_eq!(read(HEALTHY.trim_end()), plain);
    assert_eq!(read(&format!("\t{}", HEALTHY.replace('\n', "\n\t"))), plain);
    assert_eq!(read(&HEALTHY.replace("\n\n", "\n")), plain);
    assert_eq!(read(&HEALTHY.replace("    Nodeid", "\tNodeid")), plain);
}

#[test]
fn a_garbled_section_title_loses_nothing() {
    let text = HEALTHY.replace("Votequorum information", "XXXX invalid information");
    assert_eq!(read(&text), read(HEALTHY));
    let text = HEALTHY.replace("Membership information", "\u{fffd}\u{fffd}bership");
    assert_eq!(read(&text), read(HEALTHY));
}

#[test]
fn addresses_and_hexadecimal_ids_are_the_same_nodes() {
    let text = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-siH-4-nodes.txt");
    let corosync = read(text);
    assert_eq!(corosync.node_id, Some(1));
    let members = corosync.members.unwrap();
    assert_eq!(members[3].node_id, 4);
    assert_eq!(members[3].name.as_deref(), Some("10.20.0.14"));
    assert_eq!(members[3].addresses, Some(vec!["10.20.0.14".to_owned()]));
    assert_eq!(members[0].local, Some(true));
}

#[test]
fn a_list_alone_says_which_node_it_is() {
    let text = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-l-4-nodes.txt");
    let corosync = read(text);
    assert_eq!(corosync.node_id, Some(1));
    assert_eq!(corosync.members.unwrap().len(), 4);
    assert_eq!(corosync.quorate, None);
    assert_eq!(corosync.flags, None);
}

#[test]
fn a_node_may_have_no_name_and_the_highest_id() {
    let text =
        include_str!("../../../fixtures/quorumtool/corosync-3.1.7-udpu-ipv6-two-node-no-names.txt");
    let corosync = read(text);
    assert_eq!(corosync.node_id, Some(u32::MAX));
    let rows = corosync.members.unwrap();
    assert_eq!(
        (rows[0].node_id, rows[0].votes, &rows[0].name),
        (7, Some(1), &None)
    );
    assert_eq!((rows[1].local, &rows[1].name), (Some(true), &None));
    assert_eq!(corosync.flags.unwrap(), ["2Node", "Quorate", "WaitForAll"]);
}

#[test]
fn a_zone_that_corosync_made_up_is_taken_off() {
    let text = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-siH-udpu-ipv6-zones.txt");
    let rows = members(text);
    assert_eq!(rows[0].name.as_deref(), Some("fd00:20::12"));
    assert_eq!(rows[1].addresses, Some(vec!["fd00:20::11".to_owned()]));
    assert_eq!(rows[1].node_id, u32::MAX);
}

#[test]
fn all_addresses_of_a_node_follow_its_name() {
    let text = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-sa-4-nodes.txt");
    assert_eq!(members(text)[1].name.as_deref(), Some("pve-02"));
    let row = &members("Nodeid Votes Name\n1 1 pve-01, 10.21.0.11 (local)\n")[0];
    assert_eq!(row.name.as_deref(), Some("pve-01"));
    assert_eq!(row.addresses, Some(vec!["10.21.0.11".to_owned()]));
}

#[test]
fn a_qdevice_votes_or_does_not_or_is_gone() {
    let voting = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-qdevice-voting.txt");
    let qdevice = read(voting).qdevice.unwrap();
    assert_eq!((qdevice.votes, qdevice.votes_if_cast), (Some(1), None));
    assert_eq!(qdevice.flags.as_deref(), Some("A,V,NMW"));

    let silent = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-qdevice-not-voting.txt");
    let corosync = read(silent);
    let qdevice = corosync.qdevice.unwrap();
    assert_eq!((qdevice.votes, qdevice.votes_if_cast), (Some(0), Some(1)));
    assert_eq!(
        qdevice.flags.as_deref(),
        Some("A,NV,NMW"),
        "of node 2, which is local"
    );
    let flags: Vec<_> = corosync
        .members
        .unwrap()
        .into_iter()
        .map(|row| row.qdevice_flags)
        .collect();
    let flags: Vec<_> = flags.iter().flatten().collect();
    assert_eq!(flags, ["A,V,NMW", "A,NV,NMW", "NR", "NR"]);

    let dead = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-siH-qdevice-dead.txt");
    let qdevice = read(dead).qdevice.unwrap();
    assert_eq!(qdevice.flags.as_deref(), Some("NA,NV,NMW"));
}

#[test]
fn a_qdevice_row_is_read_in_every_form() {
    check_qdevice("         0          1            Qdevice", 1, None, None);
    check_qdevice("0 0 Qdevice (votes 1)", 0, Some(1), None);
    check_qdevice("0x00000000          1            Qdevice", 1, None, None);
    check_qdevice("0 1 A,V,NMW Qdevice", 1, None, Some("A,V,NMW"));
    check_qdevice("0 1 NR Qdevice", 1, None, Some("NR"));
    check_qdevice("0 0 X,Y Qdevice (votes 3)", 0, Some(3), Some("X,Y"));
}

#[test]
fn a_qdevice_flag_without_a_row_is_a_qdevice_of_unknown_votes() {
    let corosync = read("Flags:            Quorate Qdevice \n");
    assert_eq!(corosync.qdevice, Some(Qdevice::default()));
}

#[test]
fn the_header_decides_which_word_is_the_name() {
    let with = "    Nodeid      Votes    Qdevice Name";
    let without = "    Nodeid      Votes Name";
    check_row(with, "1 1 NR NR", Some("NR"), Some("NR"));
    check_row(with, "1 1 NR NR (local)", Some("NR"), Some("NR"));
    check_row(with, "1 1 NR Qdevice", Some("NR"), Some("Qdevice"));
    check_row(with, "1 1 NR", Some("NR"), None);
    check_row(with, "1 1 pve-01", None, Some("pve-01"));
    check_row(
        with,
        "1 1 zufällig pve-01",
        Some("zufällig"),
        Some("pve-01"),
    );
    check_row(
        with,
        "1 1 A,V,NMW node 1 of 2 (local)",
        Some("A,V,NMW"),
        Some("node 1 of 2"),
    );
    check_row(without, "1 1 NR", None, Some("NR"));
    check_row(without, "1 1 NR node", None, Some("NR node"));
    check_row(
        without,
        "1 1 fe80::1%eth0 (local)",
        None,
        Some("fe80::1%eth0"),
    );
    check_row(without, "1 1", None, None);
    check_row(
        "Nodeid Votes Weather Qdevice Name",
        "1 1 rain NW pve",
        Some("NW"),
        Some("pve"),
    );
}

#[test]
fn without_a_header_flags_are_what_looks_like_flags_before_a_name() {
    for title in ["Membership information", "no title at all"] {
        check_row(
            title,
            "1 1 A,NV,NMW pve-01",
            Some("A,NV,NMW"),
            Some("pve-01"),
        );
        check_row(title, "1 1 NR (local)", None, Some("NR"));
        check_row(
            title,
            "1 1 pve-01.example.org (local)",
            None,
            Some("pve-01.example.org"),
        );
    }
}

#[test]
fn a_cluster_without_votequorum_has_no_votes_column() {
    let members = members("Nodeid Name\n4294967295 10.20.0.11 (local)\n7 10.20.0.12\n");
    assert_eq!(members[0].node_id, u32::MAX);
    assert_eq!(members[0].votes, None);
    assert_eq!(members[1].name.as_deref(), Some("10.20.0.12"));
}

#[test]
fn a_bad_cell_costs_its_own_value_and_nothing_else() {
    let corosync = check_bad(
        "Nodeid Votes Qdevice Name\n5 10000000000000000000000 NW hana01\n6 1 NR hana02\n",
        2,
        "vote count",
    );
    let rows = corosync.members.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].votes, None);
    assert_eq!(rows[0].name.as_deref(), Some("hana01"));
    assert_eq!(rows[0].qdevice_flags.as_deref(), Some("NW"));

    let corosync = check_bad("Expected votes:   many\nTotal votes: 4\n", 1, "vote count");
    assert_eq!(
        (corosync.expected_votes, corosync.total_votes),
        (None, Some(4))
    );

    let corosync = check_bad(
        "Quorum:           5 Aktivität gesperrt\n",
        1,
        "Activity blocked",
    );
    assert_eq!(
        (corosync.quorum, corosync.activity_blocked),
        (Some(5), None)
    );
}

#[test]
fn a_known_line_that_cannot_be_read_is_never_a_value() {
    check_bad("Quorate:          Perhaps\n", 1, "neither Yes nor No");
    check_bad("Quorate:\n", 1, "neither Yes nor No");
    check_bad("Node ID: 4294967296\n", 1, "node id");
    check_bad("Node ID: 0x\n", 1, "node id");
    check_bad("Node ID: 0\n", 1, "never zero");
    check_bad("Ring ID:\n", 1, "missing");
    check_bad("Total votes: -1\n", 1, "vote count");
    check_bad("Nodeid Votes Name\n99999999999 1 pve-01\n", 2, "node id");
    check_bad("Nodeid Votes Name\nl 1 pve-01\n", 2, "node id");
    check_bad("Nodeid Votes Name\n1\n", 2, "vote count");
    check_bad("Nodeid Votes Name\n1 1 a\n1 1 b\n", 3, "a row already");
}

#[test]
fn pvecm_status_begins_with_the_configuration() {
    let text = format!(
        "Cluster information\n-------------------\nName:             rack\nConfig Version:   12\n\
         Transport:        knet\nSecure auth:      on\n\n{HEALTHY}"
    );
    let corosync = read(&text);
    assert_eq!(corosync.cluster_name.as_deref(), Some("rack"));
    assert_eq!(corosync.config_version, Some(12));
    assert_eq!(corosync.transport.as_deref(), Some("knet"));
    assert_eq!(corosync.secure_auth.as_deref(), Some("on"));
    assert_eq!(corosync.members.unwrap().len(), 4);
}

#[test]
fn old_pvecm_nodes_lists_absent_nodes_too_and_marks_none_as_local() {
    let text = "Node  Sts   Inc   Joined               Name\n   0   M      0   2013-05-06 10:55:40  /dev/block/8:17\n   \
                1   M     16   2013-05-06 10:55:37  proxmox-1\n   2   X     20                        proxmox-2\n";
    let corosync = read(text);
    let there = corosync.members.unwrap();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].name.as_deref(), Some("proxmox-1"));
    assert_eq!(there[0].joined.as_deref(), Some("2013-05-06 10:55:37"));
    assert_eq!((there[0].votes, there[0].local), (None, None));
    let gone = corosync.not_members.unwrap();
    assert_eq!(gone[0].name.as_deref(), Some("proxmox-2"));
    assert_eq!(gone[0].state.as_deref(), Some("X"));
    assert_eq!(
        corosync.qdevice.unwrap().name.as_deref(),
        Some("/dev/block/8:17")
    );
}

#[test]
fn of_several_answers_in_one_text_the_last_holds() {
    let corosync = read(&format!("{HEALTHY}\n{BLOCKED}"));
    assert_eq!(corosync, read(BLOCKED));
}

#[test]
fn ring_ids_and_dates_of_every_version_are_kept_as_text() {
    for ring in ["100", "1/8272", "1084780051.44", "1.1e"] {
        assert_eq!(
            read(&format!("Ring ID:          {ring}\n"))
                .ring_id
                .as_deref(),
            Some(ring)
        );
    }
    let date = read("Date:             Mi 27. Mai 14:16:10 CEST 2020\n").date;
    assert_eq!(date.as_deref(), Some("Mi 27. Mai 14:16:10 CEST 2020"));
    let flags = read("Flags: 2Node Quorate WaitForAll Neuland\n")
        .flags
        .unwrap();
    assert_eq!(flags, ["2Node", "Quorate", "WaitForAll", "Neuland"]);
}

#[test]
fn a_tool_that_failed_is_never_zero_nodes() {
    let captured = include_str!("../../../fixtures/quorumtool/corosync-3.1.7-not-running.txt");
    check_failed(captured, "Cannot initialize CMAP service");
    check_failed(
        "Cannot initialize QUORUM service\n",
        "Cannot initialize QUORUM service",
    );
    check_failed(
        "Cannot initialise CFG service",
        "Cannot initialise CFG service",
    );
    let pvecm = "Error: Corosync config '/etc/pve/corosync.conf' does not exist - is this node part of a cluster?";
    check_failed(pvecm, pvecm);
    let pmxcfs = "ipcc_send_rec[1] failed: Connection refused\nUnable to load access control list: Connection refused\n";
    check_failed(pmxcfs, "ipcc_send_rec[1] failed: Connection refused");
    let shell = "bash: line 1: corosync-quorumtool: command not found";
    check_failed(shell, shell);
}

#[test]
fn what_pvecm_read_from_the_configuration_does_not_hide_that_corosync_is_down() {
    let text = "Cluster information\n-------------------\nName:             rack\nConfig Version:   12\n\n\
                Cannot initialize CMAP service\n";
    check_failed(text, "Cannot initialize CMAP service");
}

#[test]
fn a_complaint_between_facts_is_kept_beside_them() {
    let text = format!("Unable to get node address for nodeid 3: CS_ERR_NOT_EXIST\n{HEALTHY}");
    assert_eq!(check_bad(&text, 1, "failed here"), read(HEALTHY));
}

#[test]
fn a_cut_text_keeps_what_it_has() {
    let (head, _) = HEALTHY.split_at(HEALTHY.find("Total").unwrap());
    let corosync = read(head);
    assert_eq!(corosync.expected_votes, Some(4));
    assert_eq!((corosync.total_votes, corosync.members), (None, None));
    for end in 0..HEALTHY.len() {
        let _ = parse(&HEALTHY[..end]);
    }
}

#[test]
fn too_many_rows_are_not_kept() {
    let rows: String = (1..=MAX_MEMBERS + 2)
        .map(|id| format!("{id} 1 node\n"))
        .collect();
    let parsed = parse(&format!("Nodeid Votes Name\n{rows}")).unwrap();
    assert_eq!(parsed.value.members.unwrap().len(), MAX_MEMBERS);
    assert_eq!(parsed.bad_lines.len(), 2);
}

#[test]
fn an_empty_or_foreign_text_is_no_answer() {
    assert_eq!(parse("\n \r\n"), Err(Unreadable::Empty));
    assert!(matches!(
        parse("hello\n12 monkeys\n"),
        Err(Unreadable::Foreign { .. })
    ));
    assert!(matches!(
        parse("{\"json\": 1}"),
        Err(Unreadable::Foreign { .. })
    ));
}

/// Everything that a text says which was cut somewhere, it says as a whole too: nothing is made of a part.
#[test]
fn a_text_that_was_cut_anywhere_says_nothing_else_than_the_whole() {
    let whole_text = "Cluster information\n-------------------\nName:             rack-9\nConfig Version:   14\n\
        Nodes:            11\nNode ID:          0x0000000c\nRing ID:          3.2af\nQuorate:          No\n\n\
        Expected votes:   23\nHighest expected: 23\nTotal votes:      11\nQuorum:           12 Activity blocked\n\
        Flags:            WaitForAll Qdevice \n\n    Nodeid      Votes    Qdevice Name\n\
        0x0000000c         10   A,NV,NMW 10.44.0.12 (local)\n0x0000000d         11         NR 10.44.0.13\n\
        0x00000000         10            Qdevice (votes 10)\n";
    let whole = read(whole_text);
    for end in 0..whole_text.len() {
        let text = &whole_text[..end];
        let Ok(parsed) = parse(text) else { continue };
        let part = parsed.value;
        macro_rules! check_fields {
            ($($field:ident),*) => {
                $(assert!(part.$field.is_none() || part.$field == whole.$field, "{text}");)*
            };
        }
        check_fields!(
            cluster_name,
            config_version,
            node_count,
            node_id,
            ring_id,
            quorate,
            flags
        );
        check_fields!(
            expected_votes,
            highest_expected,
            total_votes,
            quorum,
            activity_blocked
        );
        for member in part.members.iter().flatten() {
            let mut members = whole.members.iter().flatten();
            assert!(
                members.any(|known| known == member || member.name.is_none()),
                "{text}"
            );
        }
        if let Some(qdevice) = part.qdevice.filter(|device| device.votes.is_some()) {
            assert_eq!(qdevice.votes, Some(10), "{text}");
        }
    }
}

#[test]
fn a_whole_answer_without_its_last_line_end_is_believed() {
    let without_end = HEALTHY.trim_end();
    assert_eq!(read(without_end), read(HEALTHY));
    let rows = "    Nodeid      Votes Name\n         4          1 pve-d (local)\n         6          1 pve-f";
    let members = read(rows).members.unwrap();
    assert_eq!(members[1].local, Some(false));
    assert_eq!(members[1].name.as_deref(), Some("pve-f"));
}

#[test]
fn without_a_local_row_before_it_a_last_row_that_nothing_ends_may_have_been_the_local_one() {
    let members = read("    Nodeid      Votes Name\n         4          1 pve-d").members;
    assert_eq!(members.unwrap()[0].local, None);
}
