//! What happened, as a stream. Whoever follows it is not left alone when the collector goes away: it is asked again until
//! it answers, behind the last part that was read, so that nothing comes twice or is left out.

use std::ops::ControlFlow;
use std::time::Duration;

use proto::v1;
use tonic::{Status, Streaming};

use super::{Client, DEADLINE, Missed, NoAnswer, ask_one, is_of_the_way, query};
use crate::show;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What is told to whoever reads.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    Entry {
        place: v1::HistoryPlace,
        entry: &'a v1::HistoryEntry,
    },
    /// It is asked again until it answers.
    Lost { why: String },
    /// It answers again, and goes on where it was.
    Back { address: &'a str },
}

/// Why no more came.
enum End {
    /// All was read.
    All,
    /// The reader has enough.
    Enough,
    Lost(Missed),
    Refused(Status),
}

type Reader<'a> = dyn FnMut(Told<'_>) -> ControlFlow<()> + 'a;

impl Client {
    /// Reads what was asked for; with `follow` until the reader breaks off, else until all was read.
    pub(crate) fn history(
        &self,
        request: v1::ListHistoryRequest,
        reader: &mut Reader<'_>,
    ) -> Result<(), NoAnswer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(NoAnswer::Runtime)?;
        runtime.block_on(self.read_history(request, reader))
    }

    async fn read_history(
        &self,
        mut request: v1::ListHistoryRequest,
        reader: &mut Reader<'_>,
    ) -> Result<(), NoAnswer> {
        let (mut pause, mut is_lost, mut has_begun) = (FIRST_PAUSE, false, false);
        loop {
            let missed = match self.open_history(&request).await {
                Err(missed) if !has_begun => return Err(NoAnswer::Unreachable { tried: missed }),
                Err(missed) => missed,
                Ok((address, Err(status))) => return Err(NoAnswer::Refused { address, status }),
                Ok((address, Ok(stream))) => {
                    has_begun = true;
                    if is_lost && reader(Told::Back { address: &address }).is_break() {
                        return Ok(());
                    }
                    (pause, is_lost) = (FIRST_PAUSE, false);
                    match read(&address, stream, &mut request, reader).await {
                        End::All | End::Enough => return Ok(()),
                        End::Refused(status) => return Err(NoAnswer::Refused { address, status }),
                        End::Lost(missed) => vec![missed],
                    }
                }
            };
            if !request.follow {
                return Err(NoAnswer::Unreachable { tried: missed });
            }
            let why = || super::because(&missed);
            if !is_lost && reader(Told::Lost { why: why() }).is_break() {
                return Ok(());
            }
            is_lost = true;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The first collector that says something, yes or no.
    async fn open_history(
        &self,
        request: &v1::ListHistoryRequest,
    ) -> Result<(String, Result<Streaming<v1::HistoryPart>, Status>), Vec<Missed>> {
        let mut tried = Vec::new();
        for way in &self.ways {
            let asked = async |line| query(line).list_history(request.clone()).await;
            match ask_one(way, &asked).await {
                Ok(answered) => return Ok(answered),
                Err(missed) => tried.push(missed),
            }
        }
        Err(tried)
    }
}

async fn read(
    address: &str,
    mut stream: Streaming<v1::HistoryPart>,
    request: &mut v1::ListHistoryRequest,
    reader: &mut Reader<'_>,
) -> End {
    loop {
        let part = if request.follow {
            stream.message().await
        } else {
            match tokio::time::timeout(DEADLINE, stream.message()).await {
                Ok(part) => part,
                Err(_) => {
                    return End::Lost(Missed::Late {
                        address: address.to_owned(),
                    });
                }
            }
        };
        match part {
            Ok(Some(part)) => {
                if let (Some(place), Some(entry)) = (part.place, &part.entry)
                    && reader(Told::Entry { place, entry }).is_break()
                {
                    return End::Enough;
                }
                // Only now: what the reader did not take is asked for again.
                request.after = part.place.or(request.after);
            }
            Ok(None) if request.follow => {
                return End::Lost(Missed::Ended {
                    address: address.to_owned(),
                });
            }
            Ok(None) => return End::All,
            Err(source) if is_of_the_way(&source) => {
                return End::Lost(Missed::Broken {
                    address: address.to_owned(),
                    source,
                });
            }
            Err(status) => return End::Refused(status),
        }
    }
}

/// What a person who follows is told on standard error.
pub(crate) fn notice(told: &Told<'_>) -> Option<String> {
    match told {
        Told::Entry { .. } => None,
        Told::Lost { why } => Some(format!(
            "the collector is gone: {why}; it is asked again until it answers, and nothing that it keeps is left out"
        )),
        Told::Back { address } => Some(format!(
            "the collector at {} answers again, and goes on where it was",
            show::foreign(address)
        )),
    }
}
