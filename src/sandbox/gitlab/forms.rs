//! `application/x-www-form-urlencoded`, as query strings and form bodies carry it.

/// The decoded pairs of a query string or form body.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn encoded_names_and_values_are_read_and_broken_ones_kept() {
        let read = pairs("scope%5B%5D=pending&q=a+b%2Fc&bare&broken=%zz");
        let read: Vec<(&str, &str)> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(read, [("scope[]", "pending"), ("q", "a b/c"), ("bare", ""), ("broken", "%zz")]);
    }
}
