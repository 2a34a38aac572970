pub(crate) mod fixtures;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use translation::Format;
use translation::ir::{Media, MediaKind, MediaSource, Message, Part, Request, Role, ToolResult, TranslateError};
use translation::protocol::contract::Quirks;

use self::fixtures::{Server, answer};
use super::{FetchedMedia, MediaFetcher, Wanted};
use crate::error::GatewayError;
use crate::limits::MediaPolicy;
use crate::upstream::{Exit, Upstream};

const GEMINI: Wanted = Wanted { format: Format::GeminiGenerate, fetches: true };
const OPEN: MediaPolicy = MediaPolicy { fetch: true, private_networks: true };

fn image(url: &str) -> Part {
    Part::Media(Media::new(MediaKind::Image, MediaSource::Url(url.to_owned()), None))
}

fn request(parts: Vec<Part>) -> Arc<Request> {
    let mut request = Request::new(Format::OpenAiChat, "m");
    request.messages = vec![
        Message::new(Role::System, vec![Part::text("Look.")], 0),
        Message::new(Role::User, [vec![Part::text("At this:")], parts].concat(), 1),
    ];
    Arc::new(request)
}

fn site(path: &str, _: SocketAddr) -> (Vec<u8>, bool) {
    match path {
        "/page" => answer("200 OK", "content-type: text/html\r\n", b"<html>"),
        "/file.pdf" => answer("200 OK", "content-type: application/pdf\r\n", b"%PDF"),
        "/gone" => answer("404 Not Found", "", b""),
        "/large" => answer("200 OK", "content-type: image/png\r\n", &vec![0; 9 * 1024 * 1024]),
        path if path.starts_with("/never") => (b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n".to_vec(), true),
        _ => answer("200 OK", "content-type: image/png\r\n", path.as_bytes()),
    }
}

struct Bench {
    server: Server,
    fetcher: MediaFetcher,
    fetched: FetchedMedia,
    upstream: Upstream,
}

impl Bench {
    async fn new() -> Self {
        let (server, fetcher) = (Server::start(site).await, MediaFetcher::new(OPEN));
        Self { server, fetcher, fetched: FetchedMedia::default(), upstream: Upstream::new().unwrap() }
    }

    async fn fetch(&self, request: &Request, time: Duration) -> Result<(), TranslateError> {
        self.fetch_for("k", request, &self.fetched, time).await
    }

    async fn fetch_for(
        &self,
        proxy_key: &str,
        request: &Request,
        fetched: &FetchedMedia,
        time: Duration,
    ) -> Result<(), TranslateError> {
        let (exit, until) = (Exit::default(), Instant::now() + time);
        let way = (&self.upstream, &exit);
        let fetched = self.fetcher.fetch(&proxy_key.into(), request, GEMINI, fetched, way, until).await;
        fetched.map_err(|error| match error {
            GatewayError::Translate(error) => error,
            other => panic!("{other}"),
        })
    }
}

const PATIENT: Duration = Duration::from_mins(1);

#[test]
fn who_wants_which_urls_as_data() {
    let wants = |format, fetches| {
        let mut quirks = Quirks::NONE;
        quirks.media_urls = fetches;
        let wanted = Wanted::by(format, &quirks);
        [
            "http://x/a",
            "HTTPS://x/a",
            "gs://b/a",
            "s3://b/a",
            "https://youtu.be/x",
            "https://generativelanguage.googleapis.com/v1beta/files/x",
        ]
        .map(|url| wanted.as_data(url))
    };
    assert_eq!(wants(Format::GeminiGenerate, true), [true, true, false, false, false, false]);
    assert_eq!(wants(Format::GeminiGenerate, false), [true, true, false, false, false, false]);
    assert_eq!(wants(Format::AnthropicMessages, true), [true, false, false, false, false, false]);
    assert_eq!(wants(Format::AnthropicMessages, false), [true, true, false, false, true, true]);
    assert_eq!(wants(Format::BedrockConverse, true), [true, true, false, false, true, true]);
    assert_eq!(wants(Format::OpenAiChat, true), [false; 6]);
    assert_eq!(wants(Format::OpenAiChat, false), [true, true, false, false, true, true]);
}

#[tokio::test]
async fn point_22_a_picture_at_a_url_becomes_data() {
    let bench = Bench::new().await;
    let in_result = ToolResult {
        call_id: "c".to_owned(),
        name: None,
        content: vec![image(&bench.server.url("/b.png"))],
        is_error: None,
        cache: None,
    };
    let url = bench.server.url("/a.png");
    let asked = request(vec![image(&url), image(&url), image("gs://bucket/c.png"), Part::ToolResult(in_result)]);
    assert!(bench.fetcher.is_needed(&asked, GEMINI, &bench.fetched));
    bench.fetch(&asked, PATIENT).await.unwrap();
    assert!(!bench.fetcher.is_needed(&asked, GEMINI, &bench.fetched), "a second candidate has it at hand");
    assert_eq!(bench.server.asked().len(), 2, "each URL once: {:?}", bench.server.asked());

    let written = bench.fetched.put_into(&asked, GEMINI);
    let parts = &written.messages[1].parts;
    let Part::Media(first) = &parts[1] else { panic!("{parts:?}") };
    assert_eq!(
        (&first.source, first.mime.as_deref()),
        (&MediaSource::Base64("L2EucG5n".to_owned()), Some("image/png"))
    );
    assert_eq!(parts[1], parts[2]);
    assert_eq!(parts[3], image("gs://bucket/c.png"));
    let Part::ToolResult(result) = &parts[4] else { panic!("{parts:?}") };
    assert!(matches!(&result.content[0], Part::Media(media) if matches!(media.source, MediaSource::Base64(_))));
    assert_ne!(*asked, *written);

    let openai = Wanted::by(Format::OpenAiChat, &Quirks::NONE);
    assert!(Arc::ptr_eq(&bench.fetched.put_into(&asked, openai), &asked), "who takes URLs gets them");
}

#[tokio::test]
async fn point_22_a_pdf_in_a_pictures_place_is_a_document() {
    let bench = Bench::new().await;
    let asked = request(vec![image(&bench.server.url("/file.pdf"))]);
    bench.fetch(&asked, PATIENT).await.unwrap();
    let written = bench.fetched.put_into(&asked, GEMINI);
    assert!(matches!(&written.messages[1].parts[1], Part::Media(media) if media.kind == MediaKind::Document));
}

#[tokio::test]
async fn what_is_not_fetched_is_named_by_the_clients_field() {
    let bench = Bench::new().await;
    for (path, words) in [("/gone", "HTTP status 404"), ("/page", "something else, of type 'text/html'")] {
        let asked = request(vec![image(&bench.server.url("/a.png")), image(&bench.server.url(path))]);
        let error = bench.fetch(&asked, PATIENT).await.unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[1].content[2]"));
        assert!(error.message.contains(words), "{error}");
        let before = bench.server.asked().len();
        assert_eq!(bench.fetch(&asked, PATIENT).await.unwrap_err(), error, "another candidate");
        assert_eq!(bench.server.asked().len(), before, "it is not tried again");
    }
}

#[tokio::test]
async fn a_request_fetches_20_mb_in_all_and_waits_no_longer_than_it_may() {
    let bench = Bench::new().await;
    let port = bench.server.address.port();
    let large = ["localhost", "LOCALHOST", "127.0.0.1"].map(|host| image(&format!("http://{host}:{port}/large")));
    assert!(bench.fetch(&request(large[..2].to_vec()), PATIENT).await.is_ok());
    let error = bench.fetch(&request(large.to_vec()), PATIENT).await.unwrap_err();
    assert!(error.message.contains("20 MB"), "{error}");

    let error = bench.fetch(&request(vec![image(&bench.server.url("/never"))]), Duration::from_millis(50)).await;
    assert!(error.unwrap_err().message.contains("in time"));
}

#[tokio::test]
async fn nothing_is_fetched_where_the_operator_says_so() {
    let server = Server::start(site).await;
    let fetcher = MediaFetcher::new(MediaPolicy { fetch: false, private_networks: true });
    let asked = request(vec![image(&server.url("/a.png"))]);
    assert!(!fetcher.is_needed(&asked, GEMINI, &FetchedMedia::default()));
}

#[tokio::test]
async fn eight_at_a_time() {
    static OPEN_NOW: AtomicUsize = AtomicUsize::new(0);
    // Each answer hangs, so that all fetches that run at once are open.
    let server = Server::start(|_, _| {
        OPEN_NOW.fetch_add(1, Ordering::SeqCst);
        (b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n".to_vec(), true)
    })
    .await;
    let bench = Bench { server, ..Bench::new().await };
    let many = request((0..20).map(|at| image(&bench.server.url(&format!("/{at}")))).collect());
    let all_open = async {
        while OPEN_NOW.load(Ordering::SeqCst) < 8 {
            tokio::task::yield_now().await;
        }
        // There is time for a ninth fetch to start.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = bench.fetch(&many, PATIENT) => panic!("{ended:?}"),
        () = all_open => assert_eq!(OPEN_NOW.load(Ordering::SeqCst), 8),
    }
}

#[tokio::test]
async fn slow_media_of_one_key_do_not_take_the_place_of_another_keys() {
    let bench = Bench::new().await;
    let slow = request((0..8).map(|at| image(&bench.server.url(&format!("/never?{at}")))).collect());
    let quick = request(vec![image(&bench.server.url("/a.png"))]);
    let (of_slow, of_quick): (Vec<_>, _) = ((0..8).map(|_| FetchedMedia::default()).collect(), FetchedMedia::default());
    let all_slow = of_slow.iter().map(|fetched| bench.fetch_for("slow", &slow, fetched, PATIENT));
    let mut all_slow = std::pin::pin!(futures_util::future::join_all(all_slow));
    let other = async {
        while bench.server.connections.load(Ordering::SeqCst) < super::AT_ONCE_FOR_A_KEY {
            tokio::task::yield_now().await;
        }
        bench.fetch_for("quick", &quick, &of_quick, PATIENT).await
    };
    tokio::select! {
        ended = &mut all_slow => panic!("{ended:?}"),
        fetched = other => assert_eq!(fetched, Ok(())),
    }
    assert_eq!(bench.server.connections.load(Ordering::SeqCst), super::AT_ONCE_FOR_A_KEY + 1);
}
