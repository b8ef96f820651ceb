//! Takes secrets out of what comes back: each is replaced by `[secret NAME]` before the guest sees it, also where it
//! lies across two pieces of a body.
//!
//! Found is a value as it is, and as JSON, URLs and base64 write it. What the far side makes of it otherwise is not.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ::http::{HeaderMap, HeaderValue, Response, header};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body::{Body, Frame};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tenterhook_domain::{
    Code, Error, Result, SecretName,
    secret::{SECRET_BYTES_MIN, SecretValue, masked},
};

/// What URLs write as it is.
const PLAIN_IN_URLS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What is searched for, and what is put in its place.
pub(super) struct Masks {
    finder: AhoCorasick,
    /// The words for what is searched for, in the finder's order.
    words: Vec<String>,
}

impl Masks {
    /// Of these secrets.
    ///
    /// # Errors
    /// `internal` when no search can be made of them.
    pub(super) fn new(values: &[(SecretName, Arc<SecretValue>)]) -> Result<Self> {
        let mut forms: BTreeMap<Vec<u8>, String> = BTreeMap::new();
        for (name, value) in values {
            for form in forms_of(value.reveal()) {
                forms.entry(form).or_insert_with(|| masked(name));
            }
        }
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // Of what there is, the one that takes little time and memory to make: it is made often, of what tenants
            // choose.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(forms.keys())
            .map_err(|_| Error::new(Code::Internal, "secrets cannot be searched for"))?;
        Ok(Self {
            finder,
            words: forms.into_values().collect(),
        })
    }

    /// `bytes` up to `until` without secrets, and how much of them that is: a secret that begins before `until` is
    /// taken out as a whole.
    fn mask(&self, bytes: &[u8], until: usize) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for found in self.finder.find_iter(bytes) {
            if found.start() >= until {
                break;
            }
            out.extend_from_slice(&bytes[from..found.start()]);
            out.extend_from_slice(self.words[found.pattern().as_usize()].as_bytes());
            from = found.end();
        }
        let end = from.max(until);
        out.extend_from_slice(&bytes[from..end]);
        (out, end)
    }

    /// Where that begins which more bytes could make a secret. It hangs on nothing but the number of bytes: were less
    /// held back of what cannot be a secret, a guest that has the far side send its guesses would see from the pieces it
    /// gets which of them begin one.
    fn open_from(&self, bytes: &[u8]) -> usize {
        let longest = self.finder.max_pattern_len();
        bytes.len().saturating_sub(longest.saturating_sub(1))
    }

    /// Takes secrets out of headers and trailers.
    pub(super) fn clean(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if self.finder.is_match(value.as_bytes()) {
                let (bytes, _) = self.mask(value.as_bytes(), value.len());
                // What was text stays text.
                *value = HeaderValue::from_bytes(&bytes)
                    .unwrap_or_else(|_| HeaderValue::from_static("[secret]"));
            }
        }
    }

    /// The same answer without secrets; its coding where it is one that cannot be searched.
    pub(super) fn answer<B>(
        self: Arc<Self>,
        answer: Response<B>,
    ) -> Result<Response<Masked<B>>, String> {
        let (mut parts, body) = answer.into_parts();
        for coding in parts.headers.get_all(header::CONTENT_ENCODING) {
            if !coding.as_bytes().eq_ignore_ascii_case(b"identity") {
                return Err(String::from_utf8_lossy(coding.as_bytes()).into_owned());
            }
        }
        self.clean(&mut parts.headers);
        // The guest may get more or fewer bytes than the far side sent.
        parts.headers.remove(header::CONTENT_LENGTH);
        let masked = Masked {
            body,
            masks: self,
            held: Vec::new(),
            trailers: None,
            over: false,
        };
        Ok(Response::from_parts(parts, masked))
    }
}

/// How a value may be written where it comes back.
fn forms_of(value: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_matches('"');
    let base64 = STANDARD.encode(value);
    let mut forms = vec![
        value.as_bytes().to_vec(),
        json.as_bytes().to_vec(),
        json.replace('/', "\\/").into_bytes(),
        utf8_percent_encode(value, PLAIN_IN_URLS)
            .to_string()
            .into_bytes(),
        base64.trim_end_matches('=').as_bytes().to_vec(),
    ];
    // Credentials of `Basic` are stored encoded, and the far side knows them decoded.
    forms.extend(STANDARD.decode(value));
    forms.retain(|form| form.len() >= SECRET_BYTES_MIN);
    forms
}

/// A body without secrets. It holds back as many bytes as could be the beginning of one.
pub(super) struct Masked<B> {
    body: B,
    masks: Arc<Masks>,
    held: Vec<u8>,
    trailers: Option<HeaderMap>,
    over: bool,
}

impl<B> Masked<B> {
    fn pass(&mut self, bytes: &[u8]) -> Bytes {
        self.held.extend_from_slice(bytes);
        let until = self.masks.open_from(&self.held);
        self.take(until)
    }

    fn take(&mut self, until: usize) -> Bytes {
        let (out, used) = self.masks.mask(&self.held, until);
        self.held.drain(..used);
        out.into()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Masked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, B::Error>>> {
        loop {
            if self.over {
                let trailers = self.trailers.take();
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(error)) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => Err(Frame::trailers(HeaderMap::new())),
            };
            let out = match frame {
                Ok(data) => self.pass(&data),
                Err(last) => {
                    self.over = true;
                    self.trailers = last.into_trailers().ok().filter(|found| !found.is_empty());
                    let masks = self.masks.clone();
                    if let Some(trailers) = &mut self.trailers {
                        masks.clean(trailers);
                    }
                    let all = self.held.len();
                    self.take(all)
                }
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible};

    use http_body_util::BodyExt as _;

    use super::*;

    /// A body of these pieces, and trailers.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn masks(values: &[(&str, &str)]) -> Arc<Masks> {
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| {
                let value = SecretValue::new((*value).to_owned()).unwrap();
                (name.parse().unwrap(), Arc::new(value))
            })
            .collect();
        Arc::new(Masks::new(&values).unwrap())
    }

    async fn through(masks: &Arc<Masks>, pieces: &[&[u8]]) -> String {
        let frames = pieces
            .iter()
            .map(|piece| Frame::data(Bytes::copy_from_slice(piece)))
            .collect();
        let answer = masks.clone().answer(Response::new(Pieces(frames))).unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_secret_is_found_wherever_a_body_is_cut() {
        let masks = masks(&[
            ("key", "hunter2-hunter3"),
            ("longer", "hunter2-hunter3-and-more"),
        ]);
        let text = b"a hunter2-hunter3 b hunter2-hunter3-and-more c hunter2-hunt";
        let expected = "a [secret key] b [secret longer] c hunter2-hunt";
        for first in 0..text.len() {
            for second in [first, (first + 3).min(text.len()), text.len()] {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(through(&masks, &pieces).await, expected, "{first} {second}");
            }
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(through(&masks, &bytes).await, expected);
    }

    #[tokio::test]
    async fn a_secret_is_found_as_others_write_it() {
        let masks = masks(&[("key", r#"a/b"c d+e"#), ("basic", "dXNlcjpwYXNzd29yZA==")]);
        for written in [
            r#"a/b"c d+e"#,
            r#"a/b\"c d+e"#,
            r#"a\/b\"c d+e"#,
            "a%2Fb%22c%20d%2Be",
            "YS9iImMgZCtl",
        ] {
            let text = through(&masks, &[written.as_bytes()]).await;
            assert_eq!(text, "[secret key]", "{written}");
        }
        let text = through(&masks, &[b"Basic dXNlcjpwYXNzd29yZA== is user:password"]).await;
        assert_eq!(text, "Basic [secret basic] is [secret basic]");
    }

    /// How many bytes each read of these pieces gives.
    async fn reads(masks: &Arc<Masks>, pieces: &[&'static [u8]]) -> Vec<usize> {
        let frames = pieces
            .iter()
            .map(|piece| Frame::data(Bytes::from_static(piece)));
        let answer = Response::new(Pieces(frames.collect()));
        let mut body = masks.clone().answer(answer).unwrap().into_body();
        let mut reads = Vec::new();
        while let Some(frame) = body.frame().await {
            reads.push(frame.unwrap().into_data().unwrap().len());
        }
        reads
    }

    #[tokio::test]
    async fn what_a_guess_begins_with_is_not_seen_from_the_pieces() {
        let masks = masks(&[("key", "hunter2-hunter3")]);
        for (begins, does_not) in [
            (
                &b"a long text that ends in hunt"[..],
                &b"a long text that ends in hunX"[..],
            ),
            (b"hunter2-hunter", b"Xunter2-hunter"),
        ] {
            let guess = reads(&masks, &[begins, b"and more of it"]).await;
            let other = reads(&masks, &[does_not, b"and more of it"]).await;
            assert_eq!(guess, other);
        }
    }

    #[tokio::test]
    async fn headers_and_trailers_are_searched_and_what_is_compressed_is_refused() {
        let masks = masks(&[("key", "hunter2-hunter3")]);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-echo", HeaderValue::from_static("hunter2-hunter3"));
        let frames = VecDeque::from([
            Frame::data(Bytes::from_static(b"x hunter2-hunter3")),
            Frame::trailers(trailers),
        ]);
        let answer = Response::builder()
            .header("location", "/?key=hunter2-hunter3")
            .header("content-length", "17")
            .body(Pieces(frames))
            .unwrap();
        let answer = masks.clone().answer(answer).unwrap();
        assert_eq!(answer.headers()["location"], "/?key=[secret key]");
        assert!(!answer.headers().contains_key("content-length"));
        let collected = answer.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["x-echo"], "[secret key]");
        assert_eq!(collected.to_bytes(), "x [secret key]");

        let packed = Response::builder()
            .header("content-encoding", "gzip")
            .body(Pieces(VecDeque::new()))
            .unwrap();
        assert_eq!(masks.answer(packed).err(), Some("gzip".to_owned()));
    }
}
