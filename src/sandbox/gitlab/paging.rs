//! REST's two ways of paging: by page number, and by keyset.

use serde_json::Value;

use super::answer::{Answer, Outcome};
use super::call::Call;
use super::state::State;

const PER_PAGE: u64 = 20;
const PER_PAGE_MAX: u64 = 100;

/// What is paged: things by id, in the order in which they are shown.
pub(crate) struct Listing<T> {
    pub(crate) items: Vec<(u64, T)>,
    /// GitLab counts them, so totals and the last page are told.
    pub(crate) counted: bool,
}

/// One page of a listing, as the request asks for it.
pub(crate) fn present<T>(
    call: &Call,
    state: &State,
    listing: Listing<T>,
    show: impl Fn(&T) -> Value,
) -> Outcome {
    let per_page = call.params.number("per_page")?.filter(|&number| number > 0);
    let per_page = per_page.unwrap_or(PER_PAGE).min(PER_PAGE_MAX);
    let url = format!("{}{}", call.base(state), call.path);
    if call.params.text("pagination").as_deref() == Some("keyset") {
        return by_keyset(call, &url, listing.items, per_page, show);
    }
    let page = call.params.number("page")?.unwrap_or(1).max(1);
    let total = u64::try_from(listing.items.len()).unwrap_or(u64::MAX);
    let pages = total.div_ceil(per_page).max(1);
    let skipped = usize::try_from((page - 1).saturating_mul(per_page)).unwrap_or(usize::MAX);
    let taken = usize::try_from(per_page).unwrap_or(usize::MAX);
    let shown = listing.items.iter().skip(skipped).take(taken).map(|(_, item)| show(item));
    let next = (page < pages).then(|| page + 1);
    let previous = (page > 1).then(|| page - 1);
    let link = |page: u64, rel: &str| {
        let rest = format!("page={page}&per_page={per_page}");
        format!("<{url}?{}{rest}>; rel=\"{rel}\"", kept_query(call))
    };
    let mut links = Vec::new();
    links.extend(previous.map(|page| link(page, "prev")));
    links.extend(next.map(|page| link(page, "next")));
    links.push(link(1, "first"));
    if listing.counted {
        links.push(link(pages, "last"));
    }
    let number = |page: Option<u64>| page.map(|page| page.to_string()).unwrap_or_default();
    let answer = Answer::ok(Value::Array(shown.collect()))
        .header("X-Per-Page", per_page.to_string())
        .header("X-Page", page.to_string())
        .header("X-Next-Page", number(next))
        .header("X-Prev-Page", number(previous))
        .header("Link", links.join(", "));
    if !listing.counted {
        return Ok(answer);
    }
    Ok(answer.header("X-Total", total.to_string()).header("X-Total-Pages", pages.to_string()))
}

/// Keyset paging is by id; an item that came or went meanwhile shifts nothing.
fn by_keyset<T>(
    call: &Call,
    url: &str,
    mut items: Vec<(u64, T)>,
    per_page: u64,
    show: impl Fn(&T) -> Value,
) -> Outcome {
    let ascending = call.params.text("sort").as_deref() == Some("asc");
    items.sort_by_key(|(id, _)| *id);
    if !ascending {
        items.reverse();
    }
    let cursor = call.params.number("cursor")?;
    let (after, before) = (call.params.number("id_after")?, call.params.number("id_before")?);
    items.retain(|(id, _)| {
        let past = cursor.is_none_or(|cursor| if ascending { *id > cursor } else { *id < cursor });
        past && after.is_none_or(|after| *id > after) && before.is_none_or(|before| *id < before)
    });
    let taken = usize::try_from(per_page).unwrap_or(usize::MAX);
    let more = items.len() > taken;
    items.truncate(taken);
    let shown = items.iter().map(|(_, item)| show(item)).collect();
    let answer = Answer::ok(Value::Array(shown)).header("X-Per-Page", per_page.to_string());
    let Some((last, _)) = items.last().filter(|_| more) else { return Ok(answer) };
    let query = kept_query(call);
    let link = format!("<{url}?{query}cursor={last}&per_page={per_page}>; rel=\"next\"");
    Ok(answer.header("Link", link))
}

/// The request's query without what a link sets anew, and without any token.
fn kept_query(call: &Call) -> String {
    const SET: &[&str] = &["page", "per_page", "cursor", "private_token", "access_token"];
    let pairs = call.query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && !SET.contains(&name)
    });
    pairs.fold(String::new(), |query, pair| query + pair + "&")
}
