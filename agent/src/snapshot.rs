//! `quorate-agent snapshot`: everything that this node, or a captured tree, can tell, once.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::report::NodeReport;

use crate::answer::{NO_ANSWER, complain, complain_of_output};
use crate::host::{Host, Patience, said};
use crate::{source, summary};

/// Shows everything that this node, or a captured tree, can tell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Examine the captured tree below DIR instead of this node (made by `quorate-agent capture`, see docs/capture.md)
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Print one JSON object, in one line, instead of a summary
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let host = match &args.root {
        None => Host::live(&Patience::new(Patience::OF_A_REPORT)),
        Some(root) => match tree(root) {
            Ok(host) => host,
            Err(why) => return refuse(args, &why),
        },
    };
    let report = source::report(&host);
    let whole = Whole::of(&report);
    if !whole.anything_there {
        return refuse(args, &nothing(args.root.as_deref()));
    }
    let printed = if args.json {
        print_json(&report)
    } else {
        let name = source::own_name(&host);
        summary::print(&report, name.as_deref(), args.root.as_deref())
    };
    match printed {
        Ok(()) if whole.anything_known => ExitCode::SUCCESS,
        Ok(()) => {
            complain("nothing of what is there could be read; the report says why");
            ExitCode::from(NO_ANSWER)
        }
        Err(error) => {
            complain_of_output(&error);
            ExitCode::from(NO_ANSWER)
        }
    }
}

fn tree(root: &Path) -> Result<Host, String> {
    let dir = root.display();
    match std::fs::metadata(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "there is no directory {dir}; name the directory of a captured tree, as `quorate-agent capture --out DIR` \
             makes it (docs/capture.md)"
        )),
        Ok(about) if !about.is_dir() => Err(format!(
            "{dir} is not a directory; --root takes the directory that holds a captured tree: to examine one file, lay \
             it at its place below a directory, for instance DIR/proc/net/bonding/bond0 or \
             DIR/commands/corosync-quorumtool_-s (docs/capture.md)"
        )),
        _ => Host::captured(root).map_err(|error| {
            format!(
                "{}; make the directory readable, or run this as the user who made it",
                said(&error)
            )
        }),
    }
}

fn nothing(root: Option<&Path>) -> String {
    match root {
        Some(root) => format!(
            "{} holds nothing that is known here; files lie at their own paths below it, for instance \
             {0}/proc/net/bonding/bond0, and outputs of commands in {0}/commands, for instance \
             {0}/commands/corosync-quorumtool_-s (docs/capture.md lists them all)",
            root.display()
        ),
        None => "this machine has nothing that is known here: neither bonds nor corosync, and none of the tools that \
                 are asked; to examine another one's captured tree, name it with --root DIR (docs/capture.md)"
            .to_owned(),
    }
}

/// Says that there is no report. Who asked for JSON gets the reason as JSON too.
fn refuse(args: &Args, why: &str) -> ExitCode {
    complain(why);
    if args.json {
        let error = serde_json::json!({ "error": why });
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{error}").and_then(|()| out.flush()) {
            complain_of_output(&error);
        }
    }
    ExitCode::from(NO_ANSWER)
}

fn print_json(report: &NodeReport) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    serde_json::to_writer(&mut out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// How the families stand together.
struct Whole {
    anything_there: bool,
    anything_known: bool,
}

impl Whole {
    fn of(report: &NodeReport) -> Self {
        let mut whole = Self {
            anything_there: false,
            anything_known: false,
        };
        for (_, standing) in report.standings() {
            whole.anything_there |= !standing.is_absent();
            whole.anything_known |= standing.known;
        }
        whole
    }
}
