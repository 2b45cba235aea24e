//! One metric: its name, what it means, and where its values come from.

use std::fmt;

use prometheus_client::encoding::{
    CounterValueEncoder, EncodeCounterValue, EncodeGaugeValue, GaugeValueEncoder, MetricEncoder,
    NoLabelSet,
};

use super::form::Form;
use super::picture::Picture;

/// What may be done with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, and begins anew with the collector, or with a ledger that was put back.
    Counter,
}

impl Kind {
    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

pub(super) struct Family {
    /// As it is asked for, with its unit and `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// One line.
    pub(super) help: &'static str,
    /// Adds what is known; what is not is left out, and never 0.
    pub(super) values: fn(&Picture, &mut Lines<'_>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl Value {
    /// In seconds.
    #[allow(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
    pub(super) fn of_ms(ms: i64) -> Self {
        Self::Real(ms as f64 / 1000.0)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl EncodeGaugeValue for Value {
    fn encode(&self, encoder: &mut GaugeValueEncoder) -> fmt::Result {
        match *self {
            Self::Whole(value) => EncodeGaugeValue::encode(&value, encoder),
            Self::Real(value) => EncodeGaugeValue::encode(&value, encoder),
        }
    }
}

impl EncodeCounterValue for Value {
    fn encode(&self, encoder: &mut CounterValueEncoder) -> fmt::Result {
        match *self {
            Self::Whole(value) => EncodeCounterValue::encode(&value, encoder),
            Self::Real(value) => EncodeCounterValue::encode(&value, encoder),
        }
    }
}

/// Where the values of one family are added.
pub(super) struct Lines<'a> {
    family: &'a Family,
    form: Form,
    encoder: MetricEncoder<'a>,
    written: fmt::Result,
}

impl<'a> Lines<'a> {
    pub(super) fn new(family: &'a Family, form: Form, encoder: MetricEncoder<'a>) -> Self {
        Self {
            family,
            form,
            encoder,
            written: Ok(()),
        }
    }

    /// `labels`: the value of each label of the family, in its order.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Into<Value>) {
        debug_assert_eq!(labels.len(), self.family.labels.len());
        if self.written.is_ok() {
            self.written = self.write(labels, value.into());
        }
    }

    pub(super) fn end(self) -> fmt::Result {
        self.written
    }

    fn write(&mut self, labels: &[&str], value: Value) -> fmt::Result {
        let names = self.family.labels.iter().copied();
        let labels: Vec<(&str, &str)> = names.zip(labels.iter().copied()).collect();
        let is_suffixed = self.family.kind == Kind::Counter && self.form.is_suffixed_by_encoder();
        let write = |encoder: &mut MetricEncoder<'_>| {
            if is_suffixed {
                encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
            } else {
                encoder.encode_gauge(&value)
            }
        };
        if labels.is_empty() {
            return write(&mut self.encoder);
        }
        write(&mut self.encoder.encode_family(&labels)?)
    }
}
