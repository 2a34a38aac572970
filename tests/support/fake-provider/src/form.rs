//! Bodies of type `multipart/form-data` (RFC 7578), as far as uploads need them.

use bytes::Bytes;

/// A form.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<Field>,
}

/// A field of a form.
#[derive(Debug)]
pub(crate) struct Field {
    name: String,
    pub(crate) filename: Option<String>,
    pub(crate) body: Bytes,
}

impl Form {
    pub(crate) const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// Reads `body` by the boundary that its content type names. Returns nothing if it is no form.
    pub(crate) fn parse(content_type: &str, body: &Bytes) -> Option<Self> {
        let boundary = content_type.strip_prefix("multipart/form-data")?.split(';').find_map(|parameter| {
            let (name, value) = parameter.trim().split_once('=')?;
            name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
        })?;
        let delimiter = format!("--{boundary}");
        let mut at = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
        let mut form = Self::new();
        let between = format!("\r\n{delimiter}");
        while body.get(at..at + 2)? == b"\r\n" {
            let head_end = find(body, b"\r\n\r\n", at)?;
            let end = find(body, between.as_bytes(), head_end + 2)?;
            let head = String::from_utf8_lossy(body.get(at + 2..head_end.max(at + 2))?).into_owned();
            let disposition =
                head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
            form.fields.push(Field {
                name: parameter(disposition, "name")?,
                filename: parameter(disposition, "filename"),
                body: body.slice((head_end + 4).min(end)..end),
            });
            at = end + between.len();
        }
        (body.get(at..at + 2)? == b"--").then_some(form)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name || field.name.strip_suffix("[]") == Some(name))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|field| String::from_utf8_lossy(&field.body).into_owned())
    }
}

fn parameter(disposition: &str, name: &str) -> Option<String> {
    disposition.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| at + from)
}
