//! The page as a browser uses it: forms, redirects and cookies.

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, Response, StatusCode};

use crate::support::{Request, Server, until};

struct Visitor {
    shop: Server,
    browser: Client,
}

impl Visitor {
    fn new() -> Self {
        Self::of(&[])
    }

    /// Returns a visitor of a shop with these flags, whose browser prefers HTML.
    fn of(flags: &[&str]) -> Self {
        let accept = HeaderValue::from_static("text/html,*/*;q=0.8");
        let browser = Client::builder()
            .cookie_store(true)
            .default_headers([(ACCEPT, accept)].into_iter().collect())
            .no_proxy();
        Self {
            shop: Server::start(flags),
            browser: browser.build().expect("a client"),
        }
    }

    async fn load(&self) -> String {
        let response = self.browser.get(self.shop.url("/")).send().await.expect("a response");
        self.text(response).await
    }

    /// Sends a form, and returns the page that it redirects to.
    async fn send(&self, form: &str, fields: &[(&str, &str)]) -> String {
        let response = self
            .browser
            .post(self.shop.url(form))
            .form(fields)
            .send()
            .await
            .expect("a response");
        assert_eq!(response.url().path(), "/", "{form} leads back to the page");
        self.text(response).await
    }

    async fn text(&self, response: Response) -> String {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let caching = response.headers()["cache-control"].to_str().expect("text");
        assert!(caching.contains("no-store"), "{caching}");
        let policy = response.headers()["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        response.text().await.expect("text")
    }
}

#[tokio::test]
async fn a_visit_to_the_shop() {
    let visitor = Visitor::new();
    let page = visitor.load().await;
    assert!(
        page.contains(r#"action="/page/login""#) && page.contains("<output>0</output>"),
        "{page}"
    );

    visitor.send("/page/count", &[]).await;
    let page = visitor.send("/page/login", &[("user", "Ada")]).await;
    assert!(
        page.contains("Hello, Ada") && !page.contains(r#"action="/page/login""#),
        "{page}"
    );
    assert!(page.contains("<output>1</output>"), "{page}");

    visitor.send("/page/cart", &[("item", "tea")]).await;
    let page = visitor.send("/page/cart", &[("item", "a cup")]).await;
    assert!(page.contains("<li>tea</li><li>a cup</li>"), "{page}");
    assert_eq!(timeless(&visitor.load().await), timeless(&page), "it stays so");

    let page = visitor.send("/page/logout", &[]).await;
    assert!(
        page.contains(r#"action="/page/login""#) && page.contains("<ul></ul>"),
        "{page}"
    );
    assert!(page.contains("<output>0</output>"), "{page}");
}

#[tokio::test]
async fn input_of_visitors_is_shown_as_text() {
    let visitor = Visitor::new();
    let evil = r#"</h2><script>alert("x")</script>{{items}}&amp;'"#;
    visitor.send("/page/cart", &[("item", evil)]).await;
    let page = visitor.send("/page/login", &[("user", evil)]).await;
    assert!(!page.contains("<script>") && !page.contains("&amp;"), "{page}");
    let harmless = "&#60;/h2&#62;&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;{{items}}&#38;amp;&#39;";
    assert_eq!(page.matches(harmless).count(), 2, "{page}");
}

#[tokio::test]
async fn an_invalid_form_leads_to_an_error_page() {
    let visitor = Visitor::new();
    let long = "x".repeat(1_000);
    for (form, fields) in [
        ("/page/login", vec![]),
        ("/page/login", vec![("user", "")]),
        ("/page/login", vec![("user", long.as_str())]),
        ("/page/cart", vec![("item", " ")]),
        ("/page/cart", vec![("thing", "tea")]),
    ] {
        let response = visitor
            .browser
            .post(visitor.shop.url(form))
            .form(&fields)
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{form} {fields:?}");
        let page = response.text().await.expect("text");
        assert!(
            page.contains("<h2>Bad Request</h2>") && page.contains(r#"<a href="/">"#),
            "{page}"
        );
    }
}

#[tokio::test]
async fn stored_values_are_shown_with_their_expiration() {
    let visitor = Visitor::of(&["--cart-ttl", "600", "--idle", "1800"]);
    let page = visitor.load().await;
    assert!(
        page.contains("you have no session yet") && !page.contains("<table>"),
        "{page}"
    );

    visitor.send("/page/login", &[("user", "Ada")]).await;
    visitor.send("/page/cart", &[("item", "tea")]).await;
    visitor.send("/page/fifty", &[]).await;
    let page = visitor.send("/page/logout-elsewhere", &[]).await;
    let session = between(&page, "Begun ", "<table>");
    assert!(ends_within(session, 1_800), "{session}");
    for (name, value, end) in [
        ("user", "&#34;Ada&#34;", None),
        ("count", "50", None),
        ("fifty", "{&#34;before&#34;:0,&#34;with_locks&#34;:50,", Some(300)),
        ("elsewhere", "{&#34;ended&#34;:0,", Some(60)),
        ("cart: items", "[&#34;tea&#34;]", Some(600)),
        ("cart: ends", "", Some(600)),
    ] {
        let row = row(&page, name);
        assert!(row.contains(&format!("<code>{value}")), "{name}: {row}");
        match end {
            Some(seconds) => assert!(ends_within(row, seconds), "{name}: {row}"),
            None => assert!(
                row.contains("with the session") && !row.contains("<time"),
                "{name}: {row}"
            ),
        }
    }
    assert_eq!(page.matches(r#"<th scope="row">"#).count(), 6, "{page}");
}

#[tokio::test]
async fn expired_values_are_not_shown() {
    let visitor = Visitor::of(&["--cart-ttl", "0.5"]);
    let page = visitor.send("/page/cart", &[("item", "tea")]).await;
    assert!(page.contains("cart: items"), "{page}");
    until("the cart is empty", async || !visitor.load().await.contains("tea")).await;
    let page = visitor.load().await;
    assert!(!page.contains("cart: "), "{page}");
}

#[tokio::test]
async fn a_long_value_is_shown_truncated_with_its_size() {
    let visitor = Visitor::new();
    for _ in 0..10 {
        visitor.send("/page/cart", &[("item", &"茶".repeat(100))]).await;
    }
    let page = visitor.load().await;
    let row = row(&page, "cart: items");
    // Ten items of a hundred characters of three bytes, in quotes, with commas, in brackets.
    assert!(
        row.contains(&format!("<small>{} bytes</small>", 10 * 302 + 9 + 2)),
        "{row}"
    );
    assert!(row.contains("..</code>") && row.matches('茶').count() < 200, "{row}");
}

#[tokio::test]
async fn fifty_parallel_requests_count_fifty_with_locks_and_fewer_without() {
    let visitor = Visitor::new();
    // Without a session, with one, and with a counter that is not zero.
    for before in [0, 50, 100] {
        let page = visitor.send("/page/fifty", &[]).await;
        let after = before + 50;
        assert!(page.contains(&format!("<output>{after}</output>")), "{page}");
        assert!(
            page.contains(&format!("{before} → <strong>{after}</strong></dd>")),
            "{page}"
        );
        let other = between(&page, "<dt>Without locks</dt>", "</dd>");
        let without = between(other, &format!("{before} → <strong>"), "</strong>");
        let without: u64 = without.parse().expect("a number");
        assert!((before + 1..after).contains(&without), "{without}: {page}");
        let lost: u64 = between(other, "</strong>, ", " lost").parse().expect("a number");
        assert_eq!(lost, after - without, "{page}");
    }
}

#[tokio::test]
async fn logging_out_elsewhere_leaves_this_browser_logged_in() {
    let visitor = Visitor::new();
    visitor.send("/page/login", &[("user", "Ada")]).await;
    let elsewhere = [visitor.shop.log_in("Ada").await, visitor.shop.log_in("Ada").await];
    let page = visitor.send("/page/logout-elsewhere", &[]).await;
    assert!(
        page.contains("Hello, Ada") && page.contains("Logged out in 2 other browsers."),
        "{page}"
    );
    for id in elsewhere {
        let me = visitor.shop.send(Request::get("/me").id(&id)).await;
        assert!(me.json()["user"].is_null(), "{me:?}");
    }
    let page = visitor.send("/page/logout-elsewhere", &[]).await;
    assert!(page.contains("You were logged in nowhere else."), "{page}");
}

/// The page works without scripts, and contains nothing that the policy forbids.
#[tokio::test]
async fn scripts_and_styles_are_files_of_the_shop() {
    let visitor = Visitor::new();
    let page = visitor.send("/page/login", &[("user", "Ada")]).await;
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(page.contains(r#"<script src="/script.js" defer></script>"#), "{page}");
    for forbidden in ["<style", " style=", " onclick=", " onsubmit=", "javascript:", "://"] {
        assert!(!page.contains(forbidden), "{forbidden}: {page}");
    }
}

#[tokio::test]
async fn the_style_and_the_script_are_served() {
    let visitor = Visitor::new();
    for (path, kind, part) in [
        ("/style.css", "text/css; charset=utf-8", "body {"),
        ("/script.js", "text/javascript; charset=utf-8", "\"submit\""),
    ] {
        let response = visitor
            .browser
            .get(visitor.shop.url(path))
            .send()
            .await
            .expect("a response");
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert!(
            response.headers().get("vary").is_none(),
            "it does not depend on the session"
        );
        assert!(response.text().await.expect("text").contains(part), "{path}");
    }
}

/// Returns the row of the table for this value.
fn row<'a>(page: &'a str, name: &str) -> &'a str {
    between(page, &format!(r#"<th scope="row">{name}</th>"#), "</tr>")
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before}: {page}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after}: {page}")).0
}

/// Returns whether the text names an expiration within this number of seconds.
fn ends_within(text: &str, most: u64) -> bool {
    let words = between(between(text, "data-ends", "/time>"), ">", "<");
    let mut words = words.strip_prefix("in ").expect(text).split(' ');
    let mut seconds = 0;
    while let (Some(number), Some(unit)) = (words.next(), words.next()) {
        let unit = match unit {
            "h" => 3_600,
            "min" => 60,
            "s" => 1,
            unit => panic!("{unit}: {text}"),
        };
        seconds += number.parse::<u64>().expect(text) * unit;
    }
    // Half the time is far more than loading a page takes.
    (most / 2..=most).contains(&seconds)
}

/// Returns the page without the times in it.
fn timeless(page: &str) -> String {
    let mut parts = page.split("<time");
    let first = parts.next().unwrap_or_default().to_owned();
    let first = first.split_once("data-now").map_or(first.clone(), |(head, main)| {
        format!("{head}{}", main.split_once('>').unwrap_or_default().1)
    });
    let rest = parts.map(|part| part.split_once("</time>").unwrap_or_default().1);
    rest.fold(first, |page, part| page + part)
}
