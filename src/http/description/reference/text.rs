//! The little Markdown in which the API is described: code between backticks, strong words between double asterisks,
//! and paragraphs.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Plain(String),
    Code(String),
    Strong(String),
}

impl Text {
    pub(crate) fn parse(markdown: &str) -> Text {
        let mut pieces = vec![];
        for (number, part) in markdown.split('`').enumerate() {
            if number % 2 == 1 {
                pieces.push(Piece::Code(part.to_owned()));
                continue;
            }
            for (number, part) in part.split("**").enumerate().filter(|(_, part)| !part.is_empty()) {
                let part = part.to_owned();
                pieces.push(if number % 2 == 1 { Piece::Strong(part) } else { Piece::Plain(part) });
            }
        }
        Text(pieces)
    }

    /// One text for each paragraph.
    pub(crate) fn paragraphs(markdown: &str) -> Vec<Text> {
        markdown.split("\n\n").filter(|part| !part.trim().is_empty()).map(Text::parse).collect()
    }
}
