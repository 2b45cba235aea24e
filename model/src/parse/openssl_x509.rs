//! `openssl x509 -noout -subject -enddate -nameopt RFC2253` (openssl-x509(1)).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::fact::certificate::Certificate;
use crate::text::{BadLine, BadLines, Parsed, Unreadable, lines};

/// Reads what was printed of the certificate in a file of this name.
pub fn parse(name: &str, text: &str) -> Result<Parsed<Certificate>, Unreadable> {
    let mut certificate = Certificate {
        name: name.to_owned(),
        subject: None,
        unit: None,
        expires: None,
    };
    let mut bad_lines = BadLines::default();
    let mut known = false;
    for line in lines(text) {
        if let Some(subject) = line.text.strip_prefix("subject=") {
            certificate.unit = unit(subject);
            certificate.subject = Some(subject.trim().to_owned());
            known = true;
        } else if let Some(end) = line.text.strip_prefix("notAfter=") {
            let read = moment(end)
                .ok_or_else(|| BadLine::new(line, "it is no date like Nov 18 09:33:52 2036 GMT"));
            certificate.expires = bad_lines.keep(read);
            known = true;
        }
    }
    if known {
        Ok(bad_lines.with(certificate))
    } else {
        Err(Unreadable::complaint_in(text, |line| {
            line.starts_with("Could not") || line.starts_with("unable to load")
        }))
    }
}

/// The value of OU; a comma within it is written behind a backslash, and an identity has none.
fn unit(subject: &str) -> Option<String> {
    let parts = subject.split([',', '+']).map(str::trim);
    let mut units = parts.filter_map(|part| part.strip_prefix("OU="));
    units.next().map(str::to_owned)
}

/// `Nov  8 09:33:52 2036 GMT`; openssl prints nothing but GMT.
fn moment(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let clock = words.join(" ");
    let clock = clock.strip_suffix(" GMT")?;
    let clock = DateTime::strptime("%b %d %H:%M:%S %Y", clock).ok()?;
    Some(clock.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_identity_and_the_end_are_read() {
        let text = "subject=O=PVE Cluster Manager CA,OU=7fd2cb5c-4a12-4b8f-9f26-5d2b6a5c33d1,CN=Proxmox Virtual Environment\n\
                    notAfter=Nov  8 09:33:52 2036 GMT\n";
        let read = parse("pve-root-ca.pem", text).unwrap();
        assert_eq!(read.bad_lines, []);
        let unit = read.value.unit.as_deref();
        assert_eq!(unit, Some("7fd2cb5c-4a12-4b8f-9f26-5d2b6a5c33d1"));
        assert_eq!(
            read.value.expires.unwrap().to_string(),
            "2036-11-08T09:33:52Z"
        );
    }

    #[test]
    fn a_date_that_cannot_be_read_costs_only_itself_and_an_error_is_no_certificate() {
        let read = parse("x", "subject=CN=pve\nnotAfter=soon\n").unwrap();
        assert_eq!((read.value.expires, read.bad_lines.len()), (None, 1));
        assert_eq!(read.value.unit, None);
        let error = "Could not open file or uri for loading certificate from /etc/pve/x\nUnable to load certificate\n";
        assert!(matches!(
            parse("x", error),
            Err(Unreadable::ToolFailed { .. })
        ));
        assert!(parse("x", "").is_err());
    }
}
