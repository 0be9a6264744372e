//! Examples as they are shown: the JSON that stands in the constants, with its white space made regular. Fields keep the
//! order in which they are written.

/// With one field to a line. A list stays on one line unless it holds objects.
pub(super) fn on_lines(json: &str) -> String {
    let tokens = tokens(json);
    let mut text = String::new();
    // Of each open bracket: whether its items stand on lines of their own.
    let mut open: Vec<bool> = vec![];
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).copied();
        match *token {
            "{" | "[" => {
                let is_spread = if *token == "{" { next != Some("}") } else { next == Some("{") };
                text.push_str(token);
                open.push(is_spread);
                new_line(&mut text, &open, is_spread);
            }
            "}" | "]" => {
                let is_spread = open.pop().unwrap_or(false);
                new_line(&mut text, &open, is_spread);
                text.push_str(token);
            }
            "," => {
                text.push(',');
                new_line(&mut text, &open, open.last().copied().unwrap_or(false));
            }
            ":" => text.push_str(": "),
            value => text.push_str(value),
        }
    }
    text
}

/// On a single line, for a command.
pub(super) fn on_one_line(json: &str) -> String {
    let text = on_lines(json);
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    lines.join(" ").replace("{ ", "{").replace(" }", "}").replace("[ ", "[").replace(" ]", "]")
}

fn new_line(text: &mut String, open: &[bool], is_spread: bool) {
    if is_spread {
        text.push('\n');
        text.push_str(&"  ".repeat(open.len()));
    }
}

/// Brackets, commas, colons and values, without the white space between them.
fn tokens(json: &str) -> Vec<&str> {
    let mut tokens = vec![];
    let mut rest = json.trim_start();
    while !rest.is_empty() {
        let length = match rest.as_bytes()[0] {
            b'"' => string_length(rest),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            _ => rest.find(|letter: char| ",]}:".contains(letter) || letter.is_whitespace()).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// The length of the string literal that `text` begins with.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let is_end = *letter == '"' && !is_escaped;
        is_escaped = *letter == '\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_spread_over_lines_or_joined() {
        for (json, lines, line) in [
            ("{}", "{}", "{}"),
            (r#"{"a":1}"#, "{\n  \"a\": 1\n}", r#"{"a": 1}"#),
            (
                "{\"b\":[\"x\",\"y\"],\n   \"a\":{\"c\":null}}",
                "{\n  \"b\": [\"x\",\"y\"],\n  \"a\": {\n    \"c\": null\n  }\n}",
                r#"{"b": ["x","y"], "a": {"c": null}}"#,
            ),
            (
                r#"[{"a":"}, \"{"},{"a":[]}]"#,
                "[\n  {\n    \"a\": \"}, \\\"{\"\n  },\n  {\n    \"a\": []\n  }\n]",
                r#"[{"a": "}, \"{"}, {"a": []}]"#,
            ),
        ] {
            assert_eq!((on_lines(json).as_str(), on_one_line(json).as_str()), (lines, line), "{json}");
        }
    }
}
