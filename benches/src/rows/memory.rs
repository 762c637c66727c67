//! Memory of idle clients, and of going through a long list.

use serde::Deserialize;
use serde_json::json;

use crate::bench::Result;
use crate::programs::probe;
use crate::report::{Figure, Line};
use crate::server::{self, parameter};

const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;

pub(crate) fn run(_: usize) -> Result<Vec<Line>> {
    #[derive(Deserialize)]
    struct Clones {
        bytes: u32,
        clones: u32,
    }

    let Clones { bytes, clones } = probe(&["clones"])?;
    let each = f64::from(bytes) / f64::from(clones);
    let (few, many) = (walk(FEW)?, walk(MANY)?);
    let [few_peak, many_peak] = [&few, &many].map(|walk| walk.peak_bytes / 1024.0);
    let [few_time, many_time] = [&few, &many].map(Walk::micros_each);
    let bytes_each = (many.peak_bytes - few.peak_bytes) / f64::from(MANY - FEW);
    let exact = Figure::exact;
    Ok(vec![
        Line::new(13, "an idle clone of a client, of 10,000", "bytes", exact(each))
            .goal_text("one pointer", bytes as usize == clones as usize * size_of::<usize>()),
        Line::new(13, "going through 1,000,000 listings, peak", "KiB", exact(many_peak)).against(
            "1,000 listings",
            exact(few_peak),
            exact(many_peak / few_peak),
        ),
        Line::new(13, "the same, for each id that is remembered", "bytes", exact(bytes_each))
            .goal_text("≤ 16", bytes_each <= 16.0),
        Line::new(13, "the same, time of a listing; measured once", "µs", exact(many_time))
            .against("1,000 listings", exact(few_time), exact(many_time / few_time)),
    ])
}

/// What going through a list took.
#[derive(Deserialize)]
struct Walk {
    peak_bytes: f64,
    seconds: f64,
    listings: u32,
}

impl Walk {
    fn micros_each(&self) -> f64 {
        self.seconds * 1e6 / f64::from(self.listings)
    }
}

/// Goes through this number of listings.
fn walk(listings: u32) -> Result<Walk> {
    let server = server::start(move |request| page(request, listings))?;
    let found: Walk = probe(&["pager", &format!("http://{server}/api/v1")])?;
    if found.listings != listings {
        return Err(format!("{} of {listings} listings", found.listings).into());
    }
    Ok(found)
}

/// Returns the page that a request asks for.
fn page(request: &[u8], listings: u32) -> String {
    let offset = parameter(request, "offset=").unwrap_or(0);
    let limit = parameter(request, "limit=").unwrap_or(50);
    let end = listings.min(offset + limit);
    let items: Vec<_> = (offset..end)
        .map(|number| {
            json!({
                "id": format!("9e2a366e-a633-4435-9ed9-{number:012}"),
                "seller_agent_id": "a5f0a3c1-56a5-4c1e-9f0e-0d4f1c1f2c11",
                "seller_agent_name": "Ada Lovelace",
                "seller_agent_slug": "ada-lovelace",
                "seller_reputation_score": "4.50",
                "title": "Sentiment Analysis",
                "slug": format!("sentiment-analysis-{number}"),
                "description": "Send a text, get its sentiment.",
                "listing_type": "task",
                "price": "45.50",
                "currency": "CREDIT",
                "tags": ["nlp", "text"],
                "status": "active",
                "side": "offer",
                "completed_trades": 3,
                "created_at": "2026-01-01T00:00:00Z",
            })
        })
        .collect();
    let has_more = end < listings;
    json!({
        "items": items, "total": listings, "offset": offset, "limit": limit, "has_more": has_more,
    })
    .to_string()
}
