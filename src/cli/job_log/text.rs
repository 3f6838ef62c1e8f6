//! A job's log for a terminal: its colours, and nothing else that a terminal obeys.

/// Lines that are complete, as text. What a runner adds for GitLab's page is left out: the marks of
/// sections, and each line's time (`FF_TIMESTAMPS`).
#[derive(Debug, Default)]
pub(super) struct LogText {
    /// Bytes of the log that were shown.
    shown: usize,
}

/// How long the time before a line is, with the number and kind of its stream and whether it goes
/// on the line before: `2024-05-14T11:19:20.000000Z 00O+` (gitlab-org/gitlab!153516).
const TIME_LEN: usize = 32;

impl LogText {
    /// What was not shown of `log`, which is the whole one so far. Of a job that is not over only
    /// whole lines are told. A log that is shorter than before began anew.
    pub(super) fn news(&mut self, log: &[u8], over: bool) -> String {
        if log.len() < self.shown {
            self.shown = 0;
        }
        let rest = log.get(self.shown..).unwrap_or_default();
        let end = match rest.iter().rposition(|byte| *byte == b'\n') {
            _ if over => rest.len(),
            Some(last) => last + 1,
            None => 0,
        };
        self.shown += end;
        let text = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        text.split_inclusive('\n').fold(String::new(), |mut shown, line| {
            let (line, goes_on) = without_time(line);
            if goes_on && shown.ends_with('\n') {
                shown.pop();
            }
            let plain = plain(line);
            // A line of marks alone shows nothing.
            if !plain.is_empty() || line.trim_end_matches(['\r', '\n']).is_empty() {
                shown += &plain;
                shown.push('\n');
            }
            shown
        })
    }
}

/// The line without its time, and whether it goes on the line before.
fn without_time(line: &str) -> (&str, bool) {
    let bytes = line.as_bytes();
    let at = |place: usize| bytes.get(place).copied().unwrap_or_default();
    let is_time = bytes.len() >= TIME_LEN
        && at(4) == b'-'
        && at(10) == b'T'
        && at(26) == b'Z'
        && at(27) == b' '
        && at(28).is_ascii_hexdigit()
        && at(29).is_ascii_hexdigit()
        && matches!(at(30), b'O' | b'E')
        && matches!(at(31), b' ' | b'+');
    match line.get(TIME_LEN..).filter(|_| is_time) {
        Some(rest) => (rest, at(31) == b'+'),
        None => (line, false),
    }
}

/// One line as a terminal shows it at last: what a carriage return writes over is gone, colours stay,
/// other sequences and controls go.
fn plain(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let last = line.rsplit('\r').map(visible).find(|part| !part.is_empty());
    last.unwrap_or_default()
}

fn visible(part: &str) -> String {
    if part.starts_with("section_start:") || part.starts_with("section_end:") {
        return String::new();
    }
    let mut shown = String::new();
    let mut chars = part.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                let mut sequence = String::new();
                let end = loop {
                    match chars.next() {
                        Some(c @ ('0'..='9' | ';' | '?' | ' '..='/')) => sequence.push(c),
                        other => break other,
                    }
                };
                if end == Some('m') && sequence.chars().all(|c| c.is_ascii_digit() || c == ';') {
                    shown.extend(["\u{1b}[", &sequence, "m"]);
                }
            }
            '\u{1b}' => {
                // An operating system command, `ESC ] … BEL`, or a short sequence, `ESC ( B`.
                if chars.next_if_eq(&']').is_some() {
                    while chars.next_if(|c| *c != '\u{7}' && *c != '\u{1b}').is_some() {}
                } else {
                    while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
                }
                chars.next();
            }
            '\t' => shown.push('\t'),
            c if c.is_control() => {}
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_all_else_that_a_terminal_obeys_goes() {
        let log = b"\x1b[0Ksection_start:1:step[collapsed=true]\r\x1b[0K\x1b[36;1mGo\x1b[0;m\n\
            \x1b]0;title\x07x\x1b[2J\x1b(By\x07\n\nsection_end:2:step\r\x1b[0K\n10%\r100%\r\n";
        let text = LogText::default().news(log, false);
        assert_eq!(text, "\u{1b}[36;1mGo\u{1b}[0;m\nxy\n\n100%\n");
    }

    #[test]
    fn times_go_and_what_goes_on_a_line_is_put_to_it() {
        let log = b"2024-05-14T11:19:20.000000Z 00O Hey\n2024-05-14T11:19:20.000001Z 00O+ there!\n\
            2024-05-14T11:19:21.000000Z 01E no\n2024-05-14 is a day\n";
        let text = LogText::default().news(log, false);
        assert_eq!(text, "Hey there!\nno\n2024-05-14 is a day\n");
    }

    #[test]
    fn only_what_is_new_and_whole_is_told_until_the_job_is_over() {
        let mut text = LogText::default();
        assert_eq!(text.news(b"one\ntw", false), "one\n");
        assert_eq!(text.news(b"one\ntwo", false), "");
        assert_eq!(text.news(b"one\ntwo", true), "two\n");
        assert_eq!(text.news(b"anew\n", false), "anew\n", "its log began anew");
    }
}
