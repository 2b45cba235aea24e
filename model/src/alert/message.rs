//! What a chat is told of an incident: built once, here, and the same in every chat, whatever each makes of its looks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::incident::Number;

/// What stands on a locked phone.
pub const HEADLINE_LETTERS: usize = 80;
/// Lines of evidence in one message.
pub const MAX_EVIDENCE: usize = 3;
/// Of the other incidents of a group; more are counted.
pub const MAX_OTHERS: usize = 5;

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The first word of it.
    Opened,
    /// It is still there, and another sentence is true of it.
    Changed,
    /// It has become worse.
    Worse,
    /// Another incident of the same group.
    More,
    /// It was over, and is there again.
    Again,
    /// It is still there, after a long time.
    Reminder,
    /// It is over.
    Over,
    /// Another incident is its cause: what comes of it is told there.
    Joined,
    /// It is over, and nobody wants to be told: only for services that show what is open.
    Closed,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Changed => "changed",
            Self::Worse => "worse",
            Self::More => "more",
            Self::Again => "again",
            Self::Reminder => "reminder",
            Self::Over => "over",
            Self::Joined => "joined",
            Self::Closed => "closed",
        }
    }

    /// Whether nothing more is to be done about it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Over | Self::Joined | Self::Closed)
    }
}

/// One message, the same for all chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub kind: Kind,
    /// What the cluster is called.
    pub cluster: String,
    /// The cluster's id: its name need not be its own alone.
    pub cluster_id: String,
    pub incident: Number,
    pub severity: Severity,
    pub rule: String,
    pub subject: String,
    /// Finished, with its numbers; the same as in the terminal and on the page.
    pub sentence: String,
    pub began_unix_ms: i64,
    /// When this became true.
    pub at_unix_ms: i64,
    /// What it means for quorum now: `7 of 8 votes, 5 needed, margin 2`. Empty where nobody knows.
    pub quorum: String,
    /// What proves it, at most [`MAX_EVIDENCE`] lines.
    pub evidence: Vec<String>,
    /// Findings that this one explains.
    pub explains: usize,
    /// The sentences of other incidents that are told together with this one, at most [`MAX_OTHERS`] and then how many more.
    pub others: Vec<String>,
    /// What to do; its first line is a command where there is one.
    pub remedy: String,
    /// Where the page of this incident is. Empty: no pages are configured.
    pub link: String,
}

/// One line below the headline: what it is, and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub label: &'static str,
    pub words: String,
}

impl Message {
    /// What it is, before everything else: `CRITICAL`, `OVER`.
    pub fn word(&self) -> &'static str {
        match (self.kind, self.severity) {
            (Kind::Over | Kind::Closed, _) => "OVER",
            (Kind::Joined, _) => "EXPLAINED",
            (_, Severity::Critical) => "CRITICAL",
            (_, Severity::Warning) => "WARNING",
            (_, Severity::Info) => "INFO",
        }
    }

    /// `CRITICAL pve: switch sw-b is down: …`; its first [`HEADLINE_LETTERS`] say it.
    pub fn headline(&self) -> String {
        let again = match self.kind {
            Kind::Again => "again: ",
            Kind::Reminder => "still: ",
            Kind::Opened | Kind::Changed | Kind::Worse | Kind::More => "",
            Kind::Over | Kind::Joined | Kind::Closed => "",
        };
        format!("{} {}: {again}{}", self.word(), self.cluster, self.sentence)
    }

    /// The headline within so many letters; what is cut off ends with `…`.
    pub fn headline_within(&self, letters: usize) -> String {
        cut(&self.headline(), letters)
    }

    /// All below the headline, the most important first.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |label, words: String| {
            if !words.is_empty() {
                lines.push(Line { label, words });
            }
        };
        line("since", self.since());
        line("quorum", self.quorum.clone());
        for other in &self.others {
            line("and", other.clone());
        }
        for seen in &self.evidence {
            line("seen", seen.clone());
        }
        if self.explains > 0 {
            line("explains", counted(self.explains));
        }
        if !self.kind.is_end() {
            line("do", self.remedy.clone());
        }
        line("incident", format!("#{} {}", self.incident, self.rule));
        line("page", self.link.clone());
        lines
    }

    /// Headline and lines as plain text.
    pub fn text(&self) -> String {
        let mut text = self.headline();
        for line in self.lines() {
            text.push('\n');
            text.push_str(line.label);
            text.push_str(": ");
            text.push_str(&line.words);
        }
        text
    }

    fn since(&self) -> String {
        let began = moment(self.began_unix_ms);
        match self.kind {
            Kind::Over | Kind::Joined | Kind::Closed => {
                let lasted = self.at_unix_ms.saturating_sub(self.began_unix_ms);
                format!("{began}, lasted {}", lasting(lasted))
            }
            Kind::Opened
            | Kind::Changed
            | Kind::Worse
            | Kind::More
            | Kind::Again
            | Kind::Reminder => began,
        }
    }
}

fn counted(explained: usize) -> String {
    match explained {
        1 => "1 more finding".to_owned(),
        more => format!("{more} more findings"),
    }
}

/// `2026-11-22 14:03:22 UTC`
pub fn moment(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms).map_or_else(
        |_| "a time that no calendar has".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// `42 s`, `7 min`, `3 h 5 min`, `2 d 4 h`
pub fn lasting(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// At most so many letters, and never within one.
pub fn cut(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}

/// The same in bytes, for services that count them.
pub fn cut_bytes(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let room = bytes.saturating_sub('…'.len_utf8());
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|at| *at <= room)
        .last();
    format!("{}…", text.get(..end.unwrap_or(0)).unwrap_or_default())
}
