//! `quorate guard`: takes the lease, runs a command, waits until the node is back and healthy, and gives the lease back.

mod interrupted;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use model::gate::Kind;
use proto::v1;
use serde::Serialize;

use super::action::Action;
use super::maintenance::{is_held, seconds};
use crate::client::{Client, NoAnswer, Whom, own_node};
use crate::{answer, exit, show, verdict};
use interrupted::Progress;

/// The verdict was NO-GO.
const REFUSED: u8 = 67;
/// The verdict was UNKNOWN.
const NOT_KNOWN: u8 = 68;
/// Another one has the lease.
const HELD: u8 = 69;
/// The command ran, and the node is not back and healthy.
const NOT_BACK: u8 = 70;
/// The node is back and healthy, and the check after it failed.
const NOT_VERIFIED: u8 = 71;
/// What a shell says of a command that cannot be run, or was ended by a signal.
const CANNOT_RUN: u8 = 126;
const BY_A_SIGNAL: i32 = 128;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Take the lease, run a command, wait until the node is back and healthy, and give the lease back
///
/// For rolling restarts: one node after the other, each only when the last is back. Where it runs on the node itself, it ends with
/// the node, and the lease ends by itself.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  quorate guard pve-03 -- ssh pve-03 reboot
  for n in pve-0{1..8}; do
    quorate guard $n --verify \"ssh $n qm list\" \\
      -- ssh $n systemd-run --on-active=2 systemctl reboot || break
  done

(ssh itself exits with 255 when the node goes down under it.)

Whatever the command exits with, the node is waited for. If it does not come back in time, or --verify fails, or this is
interrupted, the lease stays and keeps everybody else back: `quorate maintenance end` or `break` frees it.

Exit codes:
  that of the command, if it ran, the node is back and healthy and --verify said yes
   3  for --help
  64  wrong usage
  67  NO-GO, 68 UNKNOWN: the command was not run
  69  another one has the lease: the command was not run
  70  the command was run, and the node is not back and healthy in time; or
      this was interrupted
  71  the node is back and healthy, and --verify failed")]
pub(crate) struct Args {
    /// The node
    #[arg(value_name = "NODE")]
    node: String,
    /// Why, for those who find the lease in their way [default: the command]
    #[arg(long)]
    reason: Option<String>,
    /// How long it is planned to take: so long the node is waited for
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = seconds)]
    planned_s: u32,
    /// What the command does with the node
    #[arg(long, value_enum, default_value_t = Action::Reboot)]
    action: Action,
    /// Run against NO-GO or UNKNOWN: the name of the node, typed again
    #[arg(long = "override", value_name = "NODE")]
    overrides: Option<String>,
    /// A shell command that must succeed before the lease is given back
    #[arg(long, value_name = "COMMAND")]
    verify: Option<String>,
    /// The cluster, by name or id, where the collector has several
    #[arg(
        long,
        value_name = "CLUSTER",
        default_value = "",
        hide_default_value = true
    )]
    cluster: String,
    #[command(flatten)]
    whom: Whom,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
    /// What is run
    #[arg(value_name = "COMMAND", required = true, last = true)]
    command: Vec<String>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    /// The exit code of all of it.
    code: u8,
    /// One finished sentence.
    sentence: String,
    /// The number of the lease, if it was given.
    lease: Option<String>,
    /// `null`: nobody knows.
    is_lease_held: Option<bool>,
    /// What the command exited with, if it ran.
    command_code: Option<u8>,
    verify_code: Option<u8>,
    /// What the gate said, as the JSON of `quorate maintenance begin --json`.
    answer: Option<Box<serde_json::value::RawValue>>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if args.verify.is_some() && is_here(&args.node) {
        show::complain(&format!(
            "this is {}, and whatever takes it away takes --verify with it: run this elsewhere, or without --verify",
            args.node
        ));
        return ExitCode::from(exit::USAGE);
    }
    let mut outcome = Outcome::default();
    let client = || Client::new(&args.whom);
    let guard = match client().and_then(|own| Ok((own, client()?))) {
        Ok((client, of_interruptions)) => Guard {
            args,
            client,
            progress: interrupted::watch(args, of_interruptions),
        },
        Err(error) => return refused(args, outcome, &error),
    };
    let held = match guard.begin(&mut outcome) {
        Ok(Some(lease)) => lease,
        Ok(None) => return end(args, &outcome),
        Err(error) => return refused(args, outcome, &error),
    };
    guard.progress.is("its command ran");
    guard.run(&mut outcome);
    guard.progress.is("its node was waited for");
    if guard.wait(&held, &mut outcome) && guard.verify(&mut outcome) {
        guard.give_back(&mut outcome);
    }
    end(args, &outcome)
}

fn refused(args: &Args, mut outcome: Outcome, error: &NoAnswer) -> ExitCode {
    outcome.code = NOT_KNOWN;
    outcome.is_lease_held = None;
    outcome.sentence = format!(
        "the command was not run: {}; whether the lease was taken, `quorate maintenance list` says",
        verdict::unknown(error, None, false).trim_end()
    );
    end(args, &outcome)
}

fn end(args: &Args, outcome: &Outcome) -> ExitCode {
    if args.json {
        return answer::give_with(outcome.code, &answer::to_line(outcome));
    }
    say(&outcome.sentence);
    ExitCode::from(outcome.code)
}

/// Beside what the command says.
fn say(what: &str) {
    let _ = std::io::Write::write_all(
        &mut anstream::stderr(),
        format!("quorate: {}\n", show::foreign(what)).as_bytes(),
    );
}

struct Guard<'a> {
    args: &'a Args,
    client: Client,
    progress: Progress,
}

impl Guard<'_> {
    /// The lease, or nothing: then the outcome says why.
    fn begin(&self, outcome: &mut Outcome) -> Result<Option<v1::Lease>, NoAnswer> {
        let args = self.args;
        let command = args.command.join(" ");
        let reason = args.reason.clone().unwrap_or(command);
        let answer = self.client.begin(v1::BeginRequest {
            check: Some(self.check_request()),
            reason: reason
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
            planned_s: args.planned_s,
            r#override: args.overrides.clone().unwrap_or_default(),
            // On the node itself nobody is left to ask for the end.
            waits_for_end: !is_here(&self.args.node),
            ..v1::BeginRequest::default()
        })?;
        outcome.answer = serde_json::value::RawValue::from_string(answer.json.clone()).ok();
        let given = answer.verdict.unwrap_or_default();
        if !args.json {
            // On its way out it was made harmless already.
            let told = verdict::told(&given, show::width());
            let _ = std::io::Write::write_all(&mut anstream::stderr(), told.as_bytes());
        }
        match answer.lease.filter(|_| answer.is_done) {
            Some(lease) => {
                self.progress.is("it had not run its command yet");
                self.progress.has(&lease);
                outcome.lease = Some(lease.id.clone());
                outcome.is_lease_held = Some(true);
                Ok(Some(lease).filter(|_| self.still_may(outcome)))
            }
            None => {
                outcome.code = refusal(&given);
                outcome.is_lease_held = Some(false).filter(|_| outcome.code != NOT_KNOWN);
                outcome.sentence = format!("the command was not run: {}", given.sentence);
                Ok(None)
            }
        }
    }

    /// Right before the command is run, once more. What was taken by an override is not judged again.
    fn still_may(&self, outcome: &mut Outcome) -> bool {
        if self.args.overrides.is_some() {
            return true;
        }
        let (code, sentence) = match self.client.check(&self.check_request()) {
            Ok(given) => (refusal(&given), given.sentence),
            Err(error) => (NOT_KNOWN, verdict::unknown(&error, None, false)),
        };
        if code == 0 {
            return true;
        }
        outcome.code = code;
        self.end_lease(true, outcome);
        let stays = match outcome.is_lease_held {
            Some(false) => "",
            _ => "; the lease stays: `quorate maintenance end --not-rebooted`",
        };
        outcome.sentence = format!("the command was not run: {}{stays}", sentence.trim_end());
        false
    }

    fn check_request(&self) -> v1::CheckRequest {
        v1::CheckRequest {
            cluster: self.args.cluster.clone(),
            nodes: vec![self.args.node.clone()],
            action: self.args.action.on_the_wire(),
            ..v1::CheckRequest::default()
        }
    }

    fn run(&self, outcome: &mut Outcome) {
        let mut words = self.args.command.iter();
        let program = words.next().map_or("", String::as_str);
        let code = match Command::new(program).args(words).status() {
            Ok(status) => code_of(status),
            Err(error) => {
                say(&format!("{program} cannot be run: {error}"));
                CANNOT_RUN
            }
        };
        outcome.command_code = Some(code);
        outcome.code = code;
        if code != 0 {
            say(&format!(
                "the command exited with {code}; {} is waited for all the same, because it may be on its way. If nothing \
                 was done: `quorate maintenance end {} --not-rebooted`",
                self.args.node, self.args.node
            ));
        }
    }

    /// Until the node is back and healthy: true. Whatever it still lacks is said when it changes.
    fn wait(&self, held: &v1::Lease, outcome: &mut Outcome) -> bool {
        let begun = Instant::now();
        let mut said = BTreeSet::new();
        loop {
            match self.client.leases(&self.args.cluster) {
                Ok(list) => {
                    let lease = list.leases.into_iter().find(|lease| lease.id == held.id);
                    if let Some(is_back) = self.judge(lease, begun, &mut said, outcome) {
                        return is_back;
                    }
                }
                Err(error) => {
                    let why = format!("no answer, and asked again: {}", show::with_causes(&error));
                    if said != BTreeSet::from([why.clone()]) {
                        say(&why);
                        said = BTreeSet::from([why]);
                    }
                }
            }
            if begun.elapsed() > Duration::from_secs(self.args.planned_s.into()) {
                self.not_back(outcome, "it is not back and healthy in time");
                return false;
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Whether the waiting is over, and how.
    fn judge(
        &self,
        lease: Option<v1::Lease>,
        begun: Instant,
        said: &mut BTreeSet<String>,
        outcome: &mut Outcome,
    ) -> Option<bool> {
        let Some(lease) = lease.filter(is_held) else {
            outcome.is_lease_held = Some(false);
            self.not_back(outcome, "the lease is not held any more");
            return Some(false);
        };
        let missing: BTreeSet<String> = lease.missing.iter().cloned().collect();
        if missing != *said {
            let news = missing.difference(said);
            news.for_each(|missing| say(&format!("waiting: {missing}")));
            if missing.is_empty() {
                let settles_s = lease.settles_ms / 1_000;
                say(&format!(
                    "{} is back; all must be well for {settles_s} s",
                    self.args.node
                ));
            }
            *said = missing;
        }
        let settles = Duration::from_millis(lease.settles_ms);
        let well = Duration::from_millis(lease.well_for_ms.unwrap_or_default());
        let has_settled = lease.missing.is_empty() && well >= settles && begun.elapsed() >= settles;
        has_settled.then_some(true)
    }

    fn not_back(&self, outcome: &mut Outcome, why: &str) {
        let node = &self.args.node;
        outcome.code = NOT_BACK;
        outcome.sentence = format!("{node}: {why}");
        if outcome.is_lease_held == Some(true) {
            outcome.sentence.push_str(&format!(
                "; the lease stays and keeps everybody else back. `quorate maintenance list` says what {node} lacks"
            ));
        }
    }

    /// Whether the operator's own check says yes.
    fn verify(&self, outcome: &mut Outcome) -> bool {
        let Some(verify) = &self.args.verify else {
            return true;
        };
        self.progress.is("--verify ran");
        let status = Command::new("sh").args(["-c", verify]).status();
        let code = status.map_or(CANNOT_RUN, code_of);
        outcome.verify_code = Some(code);
        if code != 0 {
            outcome.code = NOT_VERIFIED;
            outcome.sentence = format!(
                "{} is back and healthy, and `{verify}` exited with {code}; the lease stays. `quorate maintenance end {}` \
                 gives it back",
                self.args.node, self.args.node
            );
        }
        code == 0
    }

    fn give_back(&self, outcome: &mut Outcome) {
        self.end_lease(false, outcome);
        outcome.sentence = if outcome.is_lease_held == Some(true) {
            outcome.code = NOT_BACK;
            format!(
                "{} is back and healthy, and the lease could not be given back: `quorate maintenance end {}`",
                self.args.node, self.args.node
            )
        } else {
            format!(
                "{} is back and healthy, and the lease is given back",
                self.args.node
            )
        };
    }

    fn end_lease(&self, not_rebooted: bool, outcome: &mut Outcome) {
        let answer = self.client.end(&v1::EndRequest {
            cluster: self.args.cluster.clone(),
            node: self.args.node.clone(),
            not_rebooted,
        });
        match answer {
            Ok(answer) => {
                outcome.is_lease_held = Some(!answer.is_done);
                if let Some(given) = answer.verdict.filter(|_| !answer.is_done) {
                    say(&given.sentence);
                }
            }
            Err(error) => say(&show::with_causes(&error)),
        }
    }
}

/// Whether this is the node itself.
fn is_here(node: &str) -> bool {
    own_node::name().is_ok_and(|name| name.as_str() == node)
}

/// 0 if it may be done.
fn refusal(given: &v1::Verdict) -> u8 {
    let held = [Kind::LeaseHeld.name(), Kind::LeaseWithdrawn.name()];
    let is_held = given
        .reasons
        .iter()
        .any(|it| held.contains(&it.kind.as_str()));
    match given.answer() {
        v1::Answer::Go | v1::Answer::Warn => 0,
        v1::Answer::NoGo if is_held => HELD,
        v1::Answer::NoGo => REFUSED,
        v1::Answer::Unknown | v1::Answer::Unspecified => NOT_KNOWN,
    }
}

fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = || {
        status
            .signal()
            .unwrap_or_default()
            .saturating_add(BY_A_SIGNAL)
    };
    u8::try_from(status.code().unwrap_or_else(signal)).unwrap_or(CANNOT_RUN)
}
