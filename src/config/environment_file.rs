//! The file of variables that systemd reads at the start (systemd.exec(5), `EnvironmentFile=`) and that a shell can read too.
//! A value is set in its own line, and everything else in the file stays as somebody wrote it.

use std::collections::BTreeMap;

use super::fault::ConfigFault;

/// The example, with every variable and its meaning: what a new file begins with.
const EXAMPLE: &str = include_str!("../../systemd/till.env.example");

/// The lines of such a file.
pub struct EnvironmentFile {
    lines: Vec<String>,
}

impl EnvironmentFile {
    /// A file in which every line is still a comment.
    pub fn new() -> EnvironmentFile {
        EnvironmentFile::parse(EXAMPLE)
    }

    pub fn parse(text: &str) -> EnvironmentFile {
        EnvironmentFile { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The variables that it sets, the last of equals.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.lines.iter().filter_map(|line| assignment(line)).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Sets a variable: in its own line, else in place of the example's comment, else at the end.
    ///
    /// # Errors
    ///
    /// A value that cannot stand in one line.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigFault> {
        let text = quoted(value).ok_or_else(|| {
            let problem =
                "it has a line break, an apostrophe or another character that an environment file cannot hold";
            ConfigFault::bare(name, problem)
        })?;
        let line = format!("{name}={text}");
        let is_own = |line: &String| assignment(line).is_some_and(|(found, _)| found == name);
        let comment = format!("#{name}=");
        let place = self.lines.iter().rposition(is_own);
        let place = place.or_else(|| self.lines.iter().position(|line| line.starts_with(&comment)));
        match place.and_then(|place| self.lines.get_mut(place)) {
            Some(there) => *there = line,
            None => self.lines.push(line),
        }
        Ok(())
    }

    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

impl Default for EnvironmentFile {
    fn default() -> EnvironmentFile {
        EnvironmentFile::new()
    }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.trim_start().split_once('=')?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    is_name.then(|| (name, inner.unwrap_or(value).to_owned()))
}

/// The value as systemd and a shell read it alike: bare, else in apostrophes, between which nothing has a meaning.
fn quoted(value: &str) -> Option<String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:@,%+=-[]".contains(letter);
    if value.chars().all(is_plain) {
        return Some(value.to_owned());
    }
    let is_writable = !value.chars().any(|letter| letter == '\'' || letter.is_control());
    is_writable.then(|| format!("'{value}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_set_in_its_line_and_the_rest_stays() {
        let text = "# mine\nexport SPRITE_LOG=debug\n#SPRITE_LISTEN=127.0.0.1:8080\nSPRITE_MAIL_FROM=\"Fox <a@example.org>\"\n";
        let mut file = EnvironmentFile::parse(text);
        let read = |file: &EnvironmentFile, name: &str| file.variables().get(name).cloned();
        assert_eq!(read(&file, "SPRITE_LOG").as_deref(), Some("debug"));
        assert_eq!(read(&file, "SPRITE_MAIL_FROM").as_deref(), Some("Fox <a@example.org>"));
        assert_eq!(read(&file, "SPRITE_LISTEN"), None, "a comment sets nothing");

        for (name, value) in
            [("SPRITE_LOG", "info"), ("SPRITE_LISTEN", "[::1]:8080"), ("SPRITE_NEW", "two words $HOME")]
        {
            file.set(name, value).unwrap();
            assert_eq!(read(&EnvironmentFile::parse(&file.text()), name).as_deref(), Some(value));
        }
        let expected = "# mine\nSPRITE_LOG=info\nSPRITE_LISTEN=[::1]:8080\nSPRITE_MAIL_FROM=\"Fox <a@example.org>\"\n\
            SPRITE_NEW='two words $HOME'\n";
        assert_eq!(file.text(), expected);
        for refused in ["it's", "two\nlines"] {
            assert!(file.set("SPRITE_LOG", refused).unwrap_err().to_string().contains("SPRITE_LOG"));
        }
        assert_eq!(file.text(), expected);
    }

    #[test]
    fn a_new_file_sets_nothing() {
        assert!(EnvironmentFile::new().variables().is_empty());
    }
}
