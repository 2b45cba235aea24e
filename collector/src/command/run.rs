//! `quorate-collector run`: the collector, until it is told to end.

use std::future::pending;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use model::identity::ClusterId;
use model::topology::Site;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use settings::systemd::Systemd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Place;
use crate::alerts::AlertsService;
use crate::answer::chain;
use crate::authority::Duty;
use crate::config::Config;
use crate::declared::Declared;
use crate::departures::Departures;
use crate::fleetlock::FleetLock;
use crate::gate::Judge;
use crate::health;
use crate::http::{Http, Sources};
use crate::identity::Identities;
use crate::keeper::Own;
use crate::keeper::cache::Cache;
use crate::keepers::Keepers;
use crate::ledger::LEDGER;
use crate::ledger::sqlite_retention::Retention;
use crate::ledger::store::Store;
use crate::log;
use crate::machine;
use crate::notify::{Carrier, Crew, Orders};
use crate::registrar::Registrar;
use crate::roster::Roster;
use crate::routes::routes;
use crate::serve::Collector;
use crate::supervised::Supervised;
use crate::verdicts::{VERDICTS, Verdicts};

/// At the end: for messages that are on their way, and until their arrival is on the disk.
const LAST_WORD: Duration = Duration::from_secs(3);
const WRITTEN_DOWN: Duration = Duration::from_millis(100);
/// Below the state directory: copies of the latest reports.
const REPORTS: &str = "reports";

/// Runs the collector until it is told to end (SIGTERM)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    args.place.read_as_owner()?;
    let (config, identities) = args.place.open()?;
    log::begin();
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the collector's threads cannot be started")?;
    runtime.block_on(live(&config, identities, &args.place))
}

async fn live(config: &Config, identities: Identities, place: &Place) -> anyhow::Result<()> {
    let systemd = Arc::new(Systemd::of_the_environment());
    systemd.status("Reads its ledger");
    let ended = signals(Arc::clone(&systemd)).context("signals cannot be waited for")?;
    let (orders, carrier) = (Orders::by(config)?, Carrier::new()?);
    let ledger = Arc::new(Store::open(&config.state_dir.join(LEDGER)).await?);
    let collector = Collector::bind(identities, &config.listen()).await?;
    let fleetlock = config.fleetlock().map(FleetLock::bind).transpose()?;
    let http = config.http_listen.and_then(open_http);
    let keepers = Arc::new(keepers(config, &collector, Arc::clone(&ledger)));
    let mut roster = Roster::new(collector.identities(), Arc::clone(&keepers));
    roster.tell().await?;
    let departures = Departures::new(collector.identities(), Arc::clone(&keepers));
    let registrar = Registrar {
        identities: collector.identities(),
        told: collector.told(),
    };
    let judge = Judge::new(
        collector.identities(),
        Arc::clone(&keepers),
        collector.refusals(),
    );
    let (give, taken) = mpsc::channel(1);
    give.send(orders).await?;
    let crew = Crew {
        keepers: Arc::clone(&keepers),
        carrier,
        health: Arc::default(),
        can_write: ledger.can_write(),
    };
    let receivers = crew.receivers();
    let http = answer_http(http, sources(config, &collector, &crew, &judge));
    let supervised = Supervised::new(
        Arc::clone(&systemd),
        Arc::clone(&keepers),
        Arc::clone(&ledger),
        &config.state_dir,
    );
    let (routes, health) = routes(keepers, Arc::new(registrar), collector.refusals()).await?;
    let routes = routes
        .add_service(Arc::clone(&judge).service())
        .add_service(AlertsService::service(Arc::clone(&judge), receivers));
    let fleetlock = answer_fleetlock(fleetlock, &collector, judge);
    let changes = collector.changes();
    let mut crew = tokio::spawn(crew.run(taken));
    let ended: anyhow::Result<()> = tokio::select! {
        ended = collector.serve(routes, ended) => ended.map_err(anyhow::Error::from),
        () = roster.run(changes) => bail!("the list of nodes is not looked after any more"),
        () = departures.run() => bail!("who has left is not looked for any more"),
        _ = &mut crew => bail!("nobody is alerted any more"),
        () = supervised.attend() => bail!("nobody tells systemd any more how the collector is"),
        failed = reload(place, give, &systemd) => failed.context("SIGHUP cannot be waited for"),
        () = fleetlock => bail!("FleetLock is not answered any more"),
        () = http => bail!("/healthz, /readyz and /metrics are not answered any more"),
        () = health::follow(health, ledger.can_write()) => bail!("nobody says any more how well the collector is"),
        () = ledger.retain_for_ever(Retention::default()) => bail!("the ledger is not looked after any more"),
    };
    // Nobody gives orders any more. A message that is on its way arrives, and that it did is written down; what takes longer
    // goes out again with the next start.
    if timeout(LAST_WORD, crew).await.is_ok() {
        sleep(WRITTEN_DOWN).await;
    }
    ended
}

/// A second collector on this machine, or anybody else, may have that port: it is no reason not to watch.
fn open_http(listen: SocketAddr) -> Option<Http> {
    match Http::bind(listen) {
        Ok(http) => Some(http),
        Err(error) => {
            tracing::error!(
                "health and metrics are not answered: {}; choose another port in the configuration, or \"\" for none",
                chain(&error)
            );
            None
        }
    }
}

/// What programs on this machine may ask for.
fn sources(config: &Config, collector: &Collector, crew: &Crew, judge: &Judge) -> Sources {
    Sources {
        keepers: Arc::clone(&crew.keepers),
        ledger: config.state_dir.join(LEDGER),
        can_write: crew.can_write.clone(),
        connections: collector.connections(),
        refusals: collector.refusals(),
        given: Arc::clone(&judge.given),
        receivers: crew.receivers(),
    }
}

/// Where it is off, nothing is waited for.
fn answer_fleetlock(
    door: Option<FleetLock>,
    collector: &Collector,
    judge: Arc<Judge>,
) -> impl Future<Output = ()> + use<> {
    let (identities, refusals) = (collector.identities(), collector.refusals());
    async move {
        match door {
            Some(door) => door.serve(identities, judge, refusals).await,
            None => pending().await,
        }
    }
}

/// The same of health and metrics.
async fn answer_http(door: Option<Http>, sources: Sources) {
    match door {
        Some(door) => door.serve(sources).await,
        None => pending().await,
    }
}

fn keepers(config: &Config, collector: &Collector, ledger: Arc<Store>) -> Keepers {
    let cache = Cache::new(config.state_dir.join(REPORTS));
    let identities = collector.identities();
    let own = move |_: &ClusterId| Own {
        collector: identities.id().to_owned(),
        epoch: identities.epoch(),
        is_authority: identities.duty() == Duty::Authority,
    };
    let version = env!("CARGO_PKG_VERSION");
    Keepers::new(ledger, Some(cache), version, writer(), own)
        .declaring(declared(config))
        .keeping(Verdicts::open(&config.state_dir.join(VERDICTS)))
}

/// What the operator declared, and the machine that this runs on.
fn declared(config: &Config) -> Declared {
    let site = Site {
        machine: machine::this(),
        ..config.site()
    };
    Declared {
        site: Arc::new(site),
        thresholds: Arc::new(config.thresholds()),
        window_ms: u64::from(config.alerts_settle_ms),
    }
}

/// With every SIGHUP the receivers, routes and the heartbeat are read again. A file that is no good changes nothing.
async fn reload(
    place: &Place,
    give: mpsc::Sender<Orders>,
    systemd: &Systemd,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while hangup.recv().await.is_some() {
        systemd.reloading("Reads its configuration again");
        let read = place.read().map_err(anyhow::Error::from);
        match read.and_then(|config| Orders::by(&config)) {
            Ok(orders) => {
                tracing::info!(
                    "the configuration was read again: receivers, routes and the heartbeat are those of the file; what else it \
                     says holds from the next start"
                );
                give.send(orders).await?;
                systemd.ready("Has read its configuration again");
            }
            Err(error) => {
                tracing::error!(
                    "the configuration is not taken, and the one from before stays in force: {}",
                    chain(error.as_ref())
                );
                systemd.ready("Did not take its configuration: its log says why");
            }
        }
    }
    Ok(())
}

/// Of this run of the collector: no two runs have the same.
fn writer() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Ready when the collector is told to end.
fn signals(systemd: Arc<Systemd>) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        systemd.stopping("Told to end");
        tracing::info!("told to end");
    })
}

/// Every agent takes a descriptor, and a shell's limit is 1,024. Where it cannot be raised, the door says when there
/// are no more.
fn raise_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!("the number of open files cannot be raised: {error}");
    }
}
