//! The two texts that metrics are written in: OpenMetrics 1.0, and the older text 0.0.4 of Prometheus, which people and older
//! programs read. The encoder knows the first alone. The second differs in two things: a counter is announced under the name
//! that its values have, and there is no end mark.

use std::fmt;

use axum::http::{HeaderMap, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Family, Kind, Lines};
use super::picture::Picture;
use super::table::ALL;

const TOTAL: &str = "_total";
const OPENMETRICS: &str = "application/openmetrics-text";
const OPENMETRICS_VERSION: &str = "1.0.0";
const PLAIN: &str = "text/plain";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    OpenMetrics,
    /// 0.0.4.
    Prometheus,
}

impl Form {
    /// OpenMetrics for whoever asks for it, and not for something else rather.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).iter();
        let accept = accept.filter_map(|value| value.to_str().ok());
        let (mut open, mut plain) = (0.0_f32, 0.0_f32);
        for range in accept.flat_map(|value| value.split(',')) {
            let Some((kind, weight)) = wish(range) else {
                continue;
            };
            match kind {
                OPENMETRICS => open = open.max(weight),
                PLAIN => plain = plain.max(weight),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Whether the encoder is to put `_total` behind the name of a counter.
    pub(super) fn is_suffixed_by_encoder(self) -> bool {
        self == Self::OpenMetrics
    }

    /// All metrics.
    pub(super) fn text(self, picture: Picture) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Written {
            form: self,
            picture,
        }));
        let mut written = String::new();
        match self {
            Self::OpenMetrics => text::encode(&mut written, &registry)?,
            Self::Prometheus => text::encode_registry(&mut written, &registry)?,
        }
        Ok(written)
    }

    fn write(
        self,
        family: &Family,
        picture: &Picture,
        to: &mut DescriptorEncoder<'_>,
    ) -> fmt::Result {
        let kind = match family.kind {
            Kind::Gauge => MetricType::Gauge,
            Kind::Counter => MetricType::Counter,
        };
        let (name, unit) = match self {
            Self::OpenMetrics => of_openmetrics(family.name),
            Self::Prometheus => (family.name, None),
        };
        let encoder = to.encode_descriptor(name, family.help, unit.as_ref(), kind)?;
        let mut lines = Lines::new(family, self, encoder);
        (family.values)(picture, &mut lines);
        lines.end()
    }
}

/// The name without what the encoder puts behind it.
fn of_openmetrics(name: &'static str) -> (&'static str, Option<Unit>) {
    let name = name.strip_suffix(TOTAL).unwrap_or(name);
    for unit in [Unit::Seconds, Unit::Bytes] {
        let stem = name.strip_suffix(unit.as_str());
        if let Some(stem) = stem.and_then(|stem| stem.strip_suffix('_')) {
            return (stem, Some(unit));
        }
    }
    (name, None)
}

/// What one part of an Accept header names, and how much it is wanted. `None`: it is none, or a version that is not spoken.
fn wish(range: &str) -> Option<(&str, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?;
    let mut weight = 1.0;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim() {
            "q" => weight = value.trim().parse().ok()?,
            "version" if kind == OPENMETRICS && value.trim() != OPENMETRICS_VERSION => return None,
            _ => {}
        }
    }
    Some((kind, weight))
}

/// A picture as the encoder takes it.
struct Written {
    form: Form,
    picture: Picture,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

impl Collector for Written {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in ALL {
            self.form.write(family, &self.picture, &mut encoder)?;
        }
        Ok(())
    }
}
