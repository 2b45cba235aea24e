//! That the node is about to go down, from logind to the hub, the spool and the collectors: while there is still a
//! network, and before the agent itself is ended.

use jiff::Timestamp;
use model::fact::power::{AnnouncedShutdown, Power};
use model::reading::{Problem, Reading};
use model::report::{Fact, NodeReport};
use tokio::sync::oneshot;

use super::hub::News;
use super::{say, warn};
use crate::logind::Heard;
use crate::uplink::boottime_ms;

/// What logind said, for as long as it holds.
#[derive(Debug, Default)]
pub(super) struct Departure {
    announced: Option<AnnouncedShutdown>,
    blind_spot: Option<String>,
}

/// A piece of news, and who waits until it is told.
#[derive(Debug)]
pub(super) struct Urgent {
    pub(super) news: News,
    pub(super) told: Option<oneshot::Sender<()>>,
}

impl Departure {
    /// What is to be told now, if anything is.
    pub(super) fn take(&mut self, heard: Heard, report: &NodeReport) -> Option<Urgent> {
        match heard {
            Heard::Attends => {
                self.blind_spot = None;
                // A lock is given where no shutdown is under way, and that one was taken back may not have been heard.
                self.announced.take()?;
                let news = self.news(report);
                Some(Urgent { news, told: None })
            }
            Heard::Blind(why) => {
                if self.blind_spot.as_ref() != Some(&why) {
                    warn(&why);
                }
                self.blind_spot = Some(why);
                None
            }
            Heard::GoingDown { announced, told } => {
                say("systemd-logind announced that this node goes down");
                self.announced = Some(announced);
                let news = self.news(report);
                let told = Some(told);
                Some(Urgent { news, told })
            }
            Heard::TakenBack => {
                say("systemd-logind took back that this node goes down");
                self.announced = None;
                let news = self.news(report);
                Some(Urgent { news, told: None })
            }
        }
    }

    /// The node's power as it was read last, with what was announced since.
    fn news(&self, report: &NodeReport) -> News {
        let power = match &report.power {
            Reading::NeverHeard | Reading::Absent => known(Power::default(), Vec::new()),
            power => power.clone(),
        };
        let mut fact = Fact::Power(power);
        self.complete(&mut fact);
        News::Fact {
            fact: Box::new(fact),
            noticed: None,
            began_boottime_ms: boottime_ms(),
            at: Timestamp::now(),
        }
    }

    /// Adds to a reading what only the running agent knows.
    pub(super) fn complete(&self, fact: &mut Fact) {
        match fact {
            Fact::Agent(Reading::Known { value, .. }) => {
                value.blind_spots.extend(self.blind_spot.clone());
            }
            Fact::Power(Reading::Known { value, .. }) => value.announce(self.announced.clone()),
            // On its way down systemd does not answer for long, and what was announced still holds.
            Fact::Power(Reading::Failed { why }) if self.announced.is_some() => {
                let mut power = Power::default();
                power.announce(self.announced.clone());
                let problem = Problem {
                    source: "systemd".to_owned(),
                    line_number: None,
                    line: None,
                    why: why.clone(),
                };
                *fact = Fact::Power(known(power, vec![problem]));
            }
            _ => {}
        }
    }
}

fn known(value: Power, problems: Vec<Problem>) -> Reading<Power> {
    Reading::Known {
        value,
        at: Timestamp::now(),
        problems,
    }
}

#[cfg(test)]
mod tests {
    use model::fact::power::{PowerState, ShutdownMode, SystemState, Systemd};

    use super::*;

    fn running() -> NodeReport {
        let mut report = NodeReport::never_heard();
        let systemd = Systemd {
            state: Some(SystemState::Running),
            ..Systemd::default()
        };
        let power = Power {
            state: PowerState::Running,
            systemd: Some(systemd),
            ..Power::default()
        };
        report.power = known(power, Vec::new());
        report
    }

    fn going_down() -> Heard {
        Heard::GoingDown {
            announced: AnnouncedShutdown {
                at: Timestamp::UNIX_EPOCH,
                mode: Some(ShutdownMode::Reboot),
            },
            told: oneshot::channel().0,
        }
    }

    fn state(fact: &Fact) -> PowerState {
        match fact {
            Fact::Power(power) => power.known().unwrap().state,
            _ => panic!("not of power"),
        }
    }

    fn told(departure: &mut Departure, heard: Heard, report: &NodeReport) -> Fact {
        match departure.take(heard, report).unwrap().news {
            News::Fact { fact, .. } => *fact,
            News::Event { .. } => panic!("no fact"),
        }
    }

    #[test]
    fn what_was_announced_is_told_at_once_and_holds_until_it_is_taken_back() {
        let (mut departure, mut report) = (Departure::default(), running());
        let fact = told(&mut departure, going_down(), &report);
        assert_eq!(state(&fact), PowerState::ShuttingDown);
        report.replace(fact);
        // systemd is asked anew, and says that it runs, or nothing at all.
        let mut asked = Fact::Power(running().power);
        departure.complete(&mut asked);
        assert_eq!(state(&asked), PowerState::ShuttingDown);
        let why = "it did not answer".to_owned();
        let mut mute = Fact::Power(Reading::Failed { why });
        departure.complete(&mut mute);
        assert_eq!(state(&mute), PowerState::ShuttingDown);

        let fact = told(&mut departure, Heard::TakenBack, &report);
        assert_eq!(state(&fact), PowerState::Running);
    }

    #[test]
    fn a_node_that_nothing_was_read_of_can_go_down_too() {
        let never = NodeReport::never_heard();
        let fact = told(&mut Departure::default(), going_down(), &never);
        assert_eq!(state(&fact), PowerState::ShuttingDown);
    }

    #[test]
    fn that_logind_is_not_there_is_a_blind_spot_until_it_is() {
        let (mut departure, report) = (Departure::default(), running());
        let spots = |departure: &Departure| {
            let value = model::fact::agent::Agent::default();
            let (at, problems) = (Timestamp::now(), Vec::new());
            let mut fact = Fact::Agent(Reading::Known {
                value,
                at,
                problems,
            });
            departure.complete(&mut fact);
            match fact {
                Fact::Agent(agent) => agent.known().unwrap().blind_spots.clone(),
                _ => panic!("not of the agent"),
            }
        };
        let blind = Heard::Blind("There is none.".to_owned());
        assert!(departure.take(blind, &report).is_none());
        assert_eq!(spots(&departure), ["There is none."]);
        assert!(departure.take(Heard::Attends, &report).is_none());
        assert!(spots(&departure).is_empty());
    }
}
