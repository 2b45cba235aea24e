//! What each service publishes of the messages that it takes: which fields must be there, of which type, and how long they may
//! be. Written from the services' own pages, and not from what the collector sends; the collector's own tests use this file, too.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// A message as it came in. Names of headers in lower case.
#[derive(Debug, Clone)]
pub struct Came {
    pub method: String,
    /// With its query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    pub status: u16,
    pub body: String,
}

type Checked<T = ()> = Result<T, String>;

/// Judges what a service of this kind was sent, as the service would.
pub fn judge(kind: &str, came: &Came) -> Result<Says, String> {
    let type_of = came.headers.get("content-type").map(String::as_str);
    need(
        type_of.is_some_and(|found| found.starts_with("application/json")),
        "its content-type is not JSON",
    )?;
    let body: Json =
        serde_json::from_str(&came.body).map_err(|error| format!("no JSON: {error}"))?;
    no_controls(&body)?;
    match kind {
        "slack" => slack(came, &body),
        "mattermost" => mattermost(came, &body),
        "rocketchat" => rocketchat(came, &body),
        "discord" => discord(came, &body),
        "teams" => teams(came, &body),
        "telegram" => telegram(came, &body),
        "matrix" => matrix(came, &body),
        "ntfy" => ntfy(came, &body),
        "gotify" => gotify(came, &body),
        "alertmanager" => alertmanager(came, &body),
        "pagerduty" => pagerduty(came, &body),
        "webhook" => webhook(came, &body),
        other => Err(format!("no rules for {other}")),
    }
}

fn need(holds: bool, why: &str) -> Checked {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

fn says(status: u16, body: &Json) -> Checked<Says> {
    let body = body
        .as_str()
        .map_or_else(|| body.to_string(), str::to_owned);
    Ok(Says { status, body })
}

/// Letters as JavaScript counts them: the strictest way.
fn letters(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text that must be there.
fn text<'a>(within: &'a Json, name: &str, most: usize) -> Checked<&'a str> {
    let text = within.get(name).and_then(Json::as_str);
    let text = text.ok_or_else(|| format!("{name} is missing or no text in {within}"))?;
    need(!text.is_empty(), &format!("{name} is empty"))?;
    need(
        letters(text) <= most,
        &format!("{name} has {} letters, {most} are taken", letters(text)),
    )?;
    Ok(text)
}

/// What stands there; null if nothing does.
fn at<'a>(within: &'a Json, pointer: &str) -> &'a Json {
    within.pointer(pointer).unwrap_or(&Json::Null)
}

fn field<'a>(within: &'a Json, name: &str) -> &'a Json {
    within.get(name).unwrap_or(&Json::Null)
}

fn list<'a>(within: &'a Json, name: &str, most: usize) -> Checked<&'a [Json]> {
    let list = within.get(name).and_then(Json::as_array);
    let list = list.ok_or_else(|| format!("{name} is missing or no list"))?;
    need(
        !list.is_empty() && list.len() <= most,
        &format!("{name} has {} items", list.len()),
    )?;
    Ok(list)
}

fn only(within: &Json, known: &[&str]) -> Checked {
    let keys = within.as_object().into_iter().flatten();
    for (key, _) in keys {
        need(
            known.contains(&key.as_str()),
            &format!("unknown field {key}"),
        )?;
    }
    Ok(())
}

fn header<'a>(came: &'a Came, name: &str) -> Checked<&'a str> {
    let header = came.headers.get(name);
    header
        .map(String::as_str)
        .ok_or_else(|| format!("no header {name}"))
}

fn posted(came: &Came) -> Checked {
    need(
        came.method == "POST",
        &format!("{} instead of POST", came.method),
    )
}

fn no_controls(json: &Json) -> Checked {
    match json {
        Json::String(text) => need(
            !text
                .chars()
                .any(|letter| letter.is_control() && letter != '\n'),
            &format!("control characters in {text:?}"),
        ),
        Json::Array(list) => list.iter().try_for_each(no_controls),
        Json::Object(map) => map.values().try_for_each(no_controls),
        _ => Ok(()),
    }
}

/// Every text anywhere in it.
fn every_text<'a>(json: &'a Json, found: &mut Vec<&'a str>) {
    match json {
        Json::String(text) => found.push(text),
        Json::Array(list) => list.iter().for_each(|one| every_text(one, found)),
        Json::Object(map) => map.values().for_each(|one| every_text(one, found)),
        _ => {}
    }
}

/// Nobody is called by words of others.
fn nobody_is_called(body: &Json, marks: &[&str]) -> Checked {
    let mut texts = Vec::new();
    every_text(body, &mut texts);
    for text in texts {
        for mark in marks {
            need(
                !text.contains(mark),
                &format!("{mark} calls everybody: {text:?}"),
            )?;
        }
    }
    Ok(())
}

fn slack(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    let is_api = came.path.contains("/chat.");
    let own = ["text", "blocks", "attachments"];
    let more = [
        "channel",
        "ts",
        "thread_ts",
        "reply_broadcast",
        "unfurl_links",
    ];
    let known: Vec<&str> = own
        .iter()
        .copied()
        .chain(more.into_iter().filter(|_| is_api))
        .collect();
    only(body, &known)?;
    text(body, "text", 4_000)?;
    nobody_is_called(body, &["<!", "<@", "<#"])?;
    let mut blocks: Vec<&Json> = list(body, "blocks", 50)?.iter().collect();
    for attachment in list(body, "attachments", 20)? {
        only(attachment, &["color", "blocks"])?;
        is_colour(text(attachment, "color", 7)?)?;
        blocks.extend(list(attachment, "blocks", 50)?);
    }
    need(blocks.len() <= 50, "more than 50 blocks")?;
    let together: usize = blocks.iter().map(|block| block.to_string().len()).sum();
    let mut all = 0;
    for block in blocks {
        only(block, &["type", "text"])?;
        let inner = block.get("text").unwrap_or(&Json::Null);
        match (text(block, "type", 20)?, text(inner, "type", 20)?) {
            ("header", "plain_text") => all += letters(text(inner, "text", 150)?),
            ("section", "plain_text" | "mrkdwn") => all += letters(text(inner, "text", 3_000)?),
            (kind, inner) => return Err(format!("a {kind} of {inner}")),
        }
    }
    need(
        all <= 13_000,
        &format!("blocks of {together} bytes are too long together"),
    )?;
    if !is_api {
        return says(200, &json!("ok"));
    }
    need(
        header(came, "authorization")?.starts_with("Bearer xoxb-"),
        "no token of a bot",
    )?;
    text(body, "channel", 80)?;
    if came.path.ends_with("/chat.update") {
        text(body, "ts", 30)?;
        return says(
            200,
            &json!({"ok": true, "channel": at(body, "/channel"), "ts": at(body, "/ts")}),
        );
    }
    need(came.path.ends_with("/chat.postMessage"), "no such method")?;
    says(
        200,
        &json!({"ok": true, "channel": "C0000000001", "ts": "1503435956.000247"}),
    )
}

fn is_colour(text: &str) -> Checked {
    let is_colour = text.len() == 7
        && text
            .strip_prefix('#')
            .is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()));
    need(is_colour, &format!("{text} is no colour"))
}

fn attachments(body: &Json, most: usize) -> Checked {
    for attachment in list(body, "attachments", 10)? {
        only(
            attachment,
            &["fallback", "color", "title", "title_link", "text"],
        )?;
        is_colour(text(attachment, "color", 7)?)?;
        let title = text(attachment, "title", most)?;
        let words = text(attachment, "text", most)?;
        need(
            letters(title) + letters(words) <= most,
            "the attachment is too long",
        )?;
        if attachment.get("title_link").is_some() {
            is_link(text(attachment, "title_link", 2_000)?)?;
        }
    }
    Ok(())
}

fn is_link(text: &str) -> Checked {
    let is_link = text.starts_with("https://") || text.starts_with("http://");
    need(is_link, &format!("{text} is no link"))
}

fn mattermost(came: &Came, body: &Json) -> Checked<Says> {
    nobody_is_called(body, &["@all", "@channel", "@here"])?;
    if came.path.contains("/hooks/") {
        posted(came)?;
        only(body, &["attachments", "text"])?;
        attachments(body, 16_383)?;
        return says(200, &json!("ok"));
    }
    header(came, "authorization")?
        .strip_prefix("Bearer ")
        .ok_or("no token")?;
    attachments(body.get("props").unwrap_or(&Json::Null), 16_383)?;
    if came.path.ends_with("/patch") {
        need(came.method == "PUT", "a patch is PUT")?;
        only(body, &["message", "props"])?;
        return says(200, &json!({"id": "p1"}));
    }
    posted(came)?;
    only(body, &["channel_id", "message", "props", "root_id"])?;
    text(body, "channel_id", 26)?;
    says(201, &json!({"id": "p1"}))
}

fn rocketchat(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    nobody_is_called(body, &["@all", "@here"])?;
    if came.path.contains("/hooks/") {
        only(body, &["attachments", "text"])?;
        attachments(body, 5_000)?;
        return says(200, &json!({"success": true}));
    }
    header(came, "x-auth-token")?;
    header(came, "x-user-id")?;
    text(body, "text", 5_000)?;
    let message = json!({"success": true, "message": {"_id": "m1", "rid": "r1"}});
    if came.path.ends_with("/chat.update") {
        only(body, &["roomId", "msgId", "text"])?;
        text(body, "roomId", 64)?;
        text(body, "msgId", 64)?;
        return says(200, &message);
    }
    need(
        came.path.ends_with("/api/v1/chat.postMessage"),
        "no such method",
    )?;
    only(body, &["channel", "text", "parseUrls", "tmid", "tshow"])?;
    text(body, "channel", 64)?;
    says(200, &message)
}

fn discord(came: &Came, body: &Json) -> Checked<Says> {
    match came.method.as_str() {
        "POST" => need(
            came.path.contains("wait=true"),
            "it is not told the id without wait=true",
        )?,
        "PATCH" => need(came.path.contains("/messages/"), "which message?")?,
        other => return Err(format!("{other} is not taken")),
    }
    only(body, &["content", "embeds", "allowed_mentions"])?;
    need(
        *at(body, "/allowed_mentions") == json!({"parse": []}),
        "somebody could be called",
    )?;
    if body.get("content").is_some() {
        text(body, "content", 2_000)?;
    }
    let mut together = 0;
    for embed in list(body, "embeds", 10)? {
        only(embed, &["title", "description", "url", "color", "fields"])?;
        together += letters(text(embed, "title", 256)?);
        if embed.get("description").is_some() {
            together += letters(text(embed, "description", 4_096)?);
        }
        if embed.get("url").is_some() {
            is_link(text(embed, "url", 2_048)?)?;
        }
        need(
            at(embed, "/color")
                .as_u64()
                .is_some_and(|colour| colour <= 0xff_ff_ff),
            "no colour",
        )?;
        for field in list(embed, "fields", 25)? {
            only(field, &["name", "value", "inline"])?;
            together += letters(text(field, "name", 256)?) + letters(text(field, "value", 1_024)?);
        }
    }
    need(
        together <= 6_000,
        &format!("the embeds have {together} letters together"),
    )?;
    says(200, &json!({"id": "42", "channel_id": "1"}))
}

fn teams(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    need(
        came.body.len() <= 28 * 1_024,
        &format!("{} bytes", came.body.len()),
    )?;
    need(
        header(came, "content-type")?.contains("charset=utf-8"),
        "without a charset it counts double",
    )?;
    only(body, &["type", "attachments"])?;
    need(at(body, "/type") == "message", "no message")?;
    for attachment in list(body, "attachments", 1)? {
        need(
            at(attachment, "/contentType") == "application/vnd.microsoft.card.adaptive",
            "no card",
        )?;
        let card = attachment.get("content").unwrap_or(&Json::Null);
        need(
            at(card, "/type") == "AdaptiveCard" && at(card, "/version") == "1.4",
            "no Adaptive Card 1.4",
        )?;
        only(
            card,
            &[
                "$schema",
                "type",
                "version",
                "fallbackText",
                "msteams",
                "body",
                "actions",
            ],
        )?;
        for element in list(card, "body", 100)? {
            is_element(element)?;
        }
        for action in card
            .get("actions")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            need(at(action, "/type") == "Action.OpenUrl", "another action")?;
            text(action, "title", 100)?;
            is_link(text(action, "url", 2_000)?)?;
        }
    }
    says(202, &json!(""))
}

fn is_element(element: &Json) -> Checked {
    match text(element, "type", 40)? {
        "Container" => {
            let styles = [
                "default",
                "emphasis",
                "good",
                "attention",
                "warning",
                "accent",
            ];
            need(
                styles.contains(&text(element, "style", 20)?),
                "no style of a container",
            )?;
            list(element, "items", 50)?.iter().try_for_each(is_element)
        }
        "RichTextBlock" => {
            for run in list(element, "inlines", 20)? {
                only(run, &["type", "text", "weight", "size"])?;
                need(
                    at(run, "/type") == "TextRun" && at(run, "/text").is_string(),
                    "no run of text",
                )?;
            }
            Ok(())
        }
        other => Err(format!("an element {other}")),
    }
}

fn telegram(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    let markup = text(body, "text", 4_096)?;
    text(body, "chat_id", 64)?;
    need(at(body, "/parse_mode") == "HTML", "no parse mode")?;
    is_telegram_html(markup)?;
    let result = json!({"ok": true, "result": {"message_id": 5}});
    if came.path.ends_with("/editMessageText") {
        only(
            body,
            &[
                "chat_id",
                "message_id",
                "text",
                "parse_mode",
                "link_preview_options",
            ],
        )?;
        need(at(body, "/message_id").is_i64(), "no message")?;
        return says(200, &result);
    }
    need(
        came.path.ends_with("/sendMessage") && came.path.contains("/bot"),
        "no such method",
    )?;
    let more = ["message_thread_id", "reply_parameters"];
    let own = ["chat_id", "text", "parse_mode", "link_preview_options"];
    only(body, &own.iter().copied().chain(more).collect::<Vec<_>>())?;
    says(200, &result)
}

/// Only marks that it knows, each of them closed; all else is escaped.
fn is_telegram_html(markup: &str) -> Checked {
    let mut open = Vec::new();
    let mut rest = markup;
    while let Some(at) = rest.find(['<', '>', '&']) {
        let from = rest.get(at..).unwrap_or_default();
        if from.starts_with('&') {
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;"];
            let known = entities.iter().find(|entity| from.starts_with(*entity));
            let known = known.ok_or_else(|| format!("& is not escaped: {from}"))?;
            rest = from.get(known.len()..).unwrap_or_default();
            continue;
        }
        let end = from.find('>').ok_or("a mark without an end")?;
        let mark = from.get(1..end).unwrap_or_default();
        match mark {
            "b" | "i" => open.push(mark),
            "/b" | "/i" | "/a" => {
                let closed = open.pop();
                need(
                    closed == mark.strip_prefix('/'),
                    &format!("{mark} closes {closed:?}"),
                )?;
            }
            _ if mark.starts_with("a href=\"http") && mark.ends_with('"') => open.push("a"),
            other => return Err(format!("a mark <{other}>")),
        }
        rest = from.get(end + 1..).unwrap_or_default();
    }
    need(open.is_empty(), "a mark is not closed")
}

fn matrix(came: &Came, body: &Json) -> Checked<Says> {
    need(came.method == "PUT", "an event is PUT")?;
    header(came, "authorization")?
        .strip_prefix("Bearer ")
        .ok_or("no token")?;
    let path = came.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let place = parts
        .iter()
        .position(|part| *part == "rooms")
        .ok_or("no room")?;
    need(parts.len() == place + 5, "the key is no single segment")?;
    need(
        parts.get(place + 3) == Some(&"m.room.message"),
        "another event",
    )?;
    // The rest of the event has its ids, its time and its signatures.
    need(
        came.body.len() <= 60_000,
        &format!("{} bytes", came.body.len()),
    )?;
    for content in [Some(body), body.get("m.new_content")]
        .into_iter()
        .flatten()
    {
        need(at(content, "/msgtype") == "m.text", "no text")?;
        text(content, "body", 60_000)?;
        need(
            at(content, "/format") == "org.matrix.custom.html",
            "another format",
        )?;
        text(content, "formatted_body", 60_000)?;
        need(
            *at(content, "/m.mentions") == json!({}),
            "somebody could be called",
        )?;
    }
    if let Some(relates) = body.get("m.relates_to") {
        match relates.get("rel_type") {
            Some(kind) => {
                need(
                    kind == "m.replace" && body.get("m.new_content").is_some(),
                    "no whole edit",
                )?;
                text(relates, "event_id", 255)?;
            }
            None => {
                text(
                    relates.get("m.in_reply_to").unwrap_or(&Json::Null),
                    "event_id",
                    255,
                )?;
            }
        }
    }
    says(200, &json!({"event_id": "$event"}))
}

fn ntfy(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    need(
        came.path.trim_end_matches('/').matches('/').count() <= 1,
        "JSON is for the server, not for the topic",
    )?;
    need(
        came.body.len() <= 8_192,
        &format!("{} bytes", came.body.len()),
    )?;
    only(
        body,
        &["topic", "title", "message", "priority", "tags", "click"],
    )?;
    text(body, "topic", 64)?;
    text(body, "title", 500)?;
    let words = text(body, "message", 4_096)?;
    need(words.len() <= 4_096, "it would become an attachment")?;
    need(
        at(body, "/priority")
            .as_u64()
            .is_some_and(|level| (1..=5).contains(&level)),
        "no priority",
    )?;
    if body.get("click").is_some() {
        is_link(text(body, "click", 2_000)?)?;
    }
    says(200, &json!({"id": "n1", "event": "message"}))
}

fn gotify(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    need(came.path.ends_with("/message"), "no such method")?;
    header(came, "x-gotify-key")?;
    only(body, &["title", "message", "priority", "extras"])?;
    text(body, "title", 500)?;
    text(body, "message", 20_000)?;
    need(
        at(body, "/priority")
            .as_u64()
            .is_some_and(|level| level <= 10),
        "no priority",
    )?;
    for name in at(body, "/extras")
        .as_object()
        .into_iter()
        .flat_map(|extras| extras.keys())
    {
        need(name.contains("::"), "an extra without a namespace")?;
    }
    says(200, &json!({"id": 1}))
}

fn alertmanager(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    need(came.path.ends_with("/api/v2/alerts"), "no such method")?;
    let alerts = body.as_array().ok_or("no list of alerts")?;
    need(!alerts.is_empty(), "no alert")?;
    for alert in alerts {
        only(
            alert,
            &[
                "labels",
                "annotations",
                "startsAt",
                "endsAt",
                "generatorURL",
            ],
        )?;
        let labels = alert.get("labels").unwrap_or(&Json::Null);
        for name in ["alertname", "cluster_id", "severity", "incident"] {
            text(labels, name, 1_000)?;
        }
        for name in ["labels", "annotations"] {
            let of = alert
                .get(name)
                .and_then(Json::as_object)
                .ok_or("no labels")?;
            for (name, value) in of {
                let is_name = name
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                need(is_name && value.is_string(), &format!("the label {name}"))?;
            }
        }
        let (starts, ends) = (text(alert, "startsAt", 40)?, text(alert, "endsAt", 40)?);
        need(
            starts.ends_with('Z') && ends.ends_with('Z') && starts.get(..19) <= ends.get(..19),
            "it ends before it begins",
        )?;
    }
    says(200, &json!(""))
}

fn pagerduty(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    need(came.path.ends_with("/v2/enqueue"), "no such method")?;
    need(came.body.len() <= 512 * 1_024, "more than 512 KB")?;
    only(
        body,
        &[
            "routing_key",
            "event_action",
            "dedup_key",
            "client",
            "client_url",
            "links",
            "payload",
        ],
    )?;
    need(
        text(body, "routing_key", 32)?.len() == 32,
        "the key has 32 letters",
    )?;
    text(body, "dedup_key", 255)?;
    match text(body, "event_action", 20)? {
        "resolve" => {}
        "trigger" => {
            let payload = body.get("payload").unwrap_or(&Json::Null);
            text(payload, "summary", 1_024)?;
            text(payload, "source", 1_024)?;
            let severities = ["critical", "error", "warning", "info"];
            need(
                severities.contains(&text(payload, "severity", 20)?),
                "no severity",
            )?;
            text(payload, "timestamp", 40)?;
            for link in body
                .get("links")
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
            {
                is_link(text(link, "href", 2_000)?)?;
            }
        }
        other => return Err(format!("an action {other}")),
    }
    says(
        202,
        &json!({"status": "success", "message": "Event processed", "dedup_key": at(body, "/dedup_key")}),
    )
}

fn webhook(came: &Came, body: &Json) -> Checked<Says> {
    posted(came)?;
    need(at(body, "/version") == 1, "another version")?;
    need(header(came, "quorate-delivery")?.is_ascii(), "no key")?;
    header(came, "quorate-timestamp")?
        .parse::<u64>()
        .map_err(|error| error.to_string())?;
    if let Some(signature) = came.headers.get("quorate-signature") {
        let digits = signature.strip_prefix("v1=").ok_or("another signature")?;
        need(digits.len() == 64, "no SHA-256")?;
    }
    for name in ["delivery", "thread", "kind", "headline"] {
        text(body, name, 20_000)?;
    }
    for name in ["quorum", "remedy", "link"] {
        need(field(body, name).is_string(), name)?;
    }
    for name in ["evidence", "others"] {
        need(field(body, name).is_array(), name)?;
    }
    need(
        at(body, "/recorded").is_boolean() && at(body, "/incident/number").is_u64(),
        "recorded, incident",
    )?;
    says(204, &json!(""))
}
