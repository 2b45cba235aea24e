//! A cable that is pulled by one netlink message from this process: for measures, where starting an `ip` each time
//! would be most of the time.

use std::fs::File;
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

/// One end of a cable.
#[derive(Debug)]
pub struct Cable {
    /// It belongs to the network that it was made in, whichever thread uses it.
    socket: Socket,
    index: u32,
}

impl Cable {
    pub(crate) fn new(fabric: Pid, port: &str) -> Result<Self> {
        let socket = in_network_of(fabric, || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(socket)
        })?;
        let mut wanted = LinkMessage::default();
        let name = LinkAttribute::IfName(port.to_owned());
        wanted.attributes.push(name);
        let mut cable = Self { socket, index: 0 };
        cable.send(RouteNetlinkMessage::GetLink(wanted), NLM_F_REQUEST)?;
        match cable.answer()? {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                cable.index = link.header.index;
                Ok(cable)
            }
            other => bail!("the kernel does not tell of {port}: {other:?}"),
        }
    }

    pub fn cut(&self) -> Result<()> {
        self.set(LinkFlags::empty())
    }

    pub fn plug(&self) -> Result<()> {
        self.set(LinkFlags::Up)
    }

    fn set(&self, flags: LinkFlags) -> Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        link.header.flags = flags;
        link.header.change_mask = LinkFlags::Up;
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        self.send(RouteNetlinkMessage::SetLink(link), flags)?;
        match self.answer()? {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            other => bail!("the kernel refused: {other:?}"),
        }
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        Ok(())
    }

    fn answer(&self) -> Result<NetlinkPayload<RouteNetlinkMessage>> {
        let (bytes, _) = self.socket.recv_from_full()?;
        let message = NetlinkMessage::deserialize(&bytes).context("not netlink")?;
        Ok(message.payload)
    }
}

/// Does something in the network of another process; what is opened there stays there.
pub fn in_network_of<T: Send>(init: Pid, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    // Of a process's threads each can be in another network: this one ends with its errand.
    thread::scope(|scope| {
        let errand = scope.spawn(|| {
            let network = File::open(format!("/proc/{init}/ns/net"))?;
            setns(network, CloneFlags::CLONE_NEWNET)?;
            act()
        });
        errand
            .join()
            .map_err(|_| anyhow!("an errand in the network of {init} panicked"))?
    })
}
