//! What is to be done with a node, as an option.

use proto::v1;

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Action {
    Reboot,
    Shutdown,
    /// Judged like a reboot, and guests want a backup
    Upgrade,
    /// A change of the node's network
    Network,
}

impl From<Action> for model::gate::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Reboot => Self::Reboot,
            Action::Shutdown => Self::Shutdown,
            Action::Upgrade => Self::Upgrade,
            Action::Network => Self::Network,
        }
    }
}

impl Action {
    pub(crate) fn on_the_wire(self) -> i32 {
        let action = match self {
            Self::Reboot => v1::Action::Reboot,
            Self::Shutdown => v1::Action::Shutdown,
            Self::Upgrade => v1::Action::Upgrade,
            Self::Network => v1::Action::Network,
        };
        action.into()
    }
}
