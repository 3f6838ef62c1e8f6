//! Where a list goes on: by `Link`, else by GitLab's own header, else by the page's number. A proxy
//! that rewrites addresses may lose `Link`, and one that is strict may let neither pass.

use ::http::{HeaderMap, header};

const NEXT_PAGE: &str = "x-next-page";
/// What a page holds where the query does not say.
const PER_PAGE: usize = 20;

/// The query of the page after the one that `query` asked for and that told so many items; none: it
/// was the last. A full page that says nothing is not taken for the last.
pub(super) fn next(query: &str, headers: &HeaderMap, told: usize) -> Option<String> {
    if headers.contains_key(header::LINK) {
        return linked(headers).or_else(|| numbered(query, headers));
    }
    if headers.contains_key(NEXT_PAGE) {
        return numbered(query, headers);
    }
    let full = told >= number(query, "per_page").unwrap_or(PER_PAGE);
    full.then(|| with_page(query, number(query, "page").unwrap_or(1) + 1))
}

/// By `Link: rel="next"`.
fn linked(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|value| value.split('<')).find_map(|link| {
        let (address, parameters) = link.split_once('>')?;
        let rel = parameters.split([';', ',']).map(str::trim);
        rel.into_iter().any(|part| part == "rel=\"next\"" || part == "rel=next").then_some(address)
    });
    next.and_then(|address| address.split_once('?')).map(|(_, query)| query.to_owned())
}

/// By `X-Next-Page`, which is empty on the last page.
fn numbered(query: &str, headers: &HeaderMap) -> Option<String> {
    let page = headers.get(NEXT_PAGE)?.to_str().ok()?.trim().parse().ok()?;
    Some(with_page(query, page))
}

fn number(query: &str, name: &str) -> Option<usize> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok())
}

fn with_page(query: &str, page: usize) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
    let kept = kept.fold(String::new(), |kept, pair| kept + pair + "&");
    format!("{kept}page={page}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "scope=a,b&per_page=100";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (*name, value.parse().unwrap()));
        pairs.map(|(name, value)| (::http::HeaderName::from_static(name), value)).collect()
    }

    #[test]
    fn the_next_page_is_found_among_links_with_commas() {
        let value = "<https://g.test/a?scope=a,b&page=1>; rel=\"first\", \
                     <https://g.test/a?scope=a,b&page=3>; rel=\"next\"";
        let next = next(QUERY, &headers(&[("link", value)]), 100);
        assert_eq!(next.as_deref(), Some("scope=a,b&page=3"));
    }

    #[test]
    fn a_link_without_a_next_one_is_the_last_page_even_if_it_is_full() {
        let value = "<https://g.test/a?page=1>; rel=\"first\"";
        assert_eq!(next(QUERY, &headers(&[("link", value), ("x-next-page", "")]), 100), None);
    }

    #[test]
    fn without_links_the_number_of_the_next_page_tells() {
        let two = next(QUERY, &headers(&[("x-next-page", "2")]), 7);
        assert_eq!(two.as_deref(), Some("scope=a,b&per_page=100&page=2"));
        let three = next(&two.unwrap(), &headers(&[("x-next-page", "3")]), 7);
        assert_eq!(three.as_deref(), Some("scope=a,b&per_page=100&page=3"));
        assert_eq!(next(QUERY, &headers(&[("x-next-page", "")]), 100), None);
    }

    #[test]
    fn a_full_page_that_says_nothing_is_not_the_last() {
        let none = headers(&[]);
        assert_eq!(next(QUERY, &none, 99), None);
        assert_eq!(next(QUERY, &none, 100).as_deref(), Some("scope=a,b&per_page=100&page=2"));
        assert_eq!(next("", &none, 20).as_deref(), Some("page=2"));
    }
}
