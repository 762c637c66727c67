//! Takes the two Swagger UI files that `/docs` needs out of the archive that crates.io carries, if
//! the feature `swagger-ui` is on.
//!
//! Swagger UI is by `SmartBear` Software, under the Apache License 2.0.

#[cfg(feature = "swagger-ui")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    swagger_ui::unpack()
}

#[cfg(not(feature = "swagger-ui"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}

#[cfg(feature = "swagger-ui")]
mod swagger_ui {
    use std::error::Error;
    use std::fs::File;
    use std::io::{Cursor, copy};
    use std::path::Path;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
    use zip::ZipArchive;

    pub(super) fn unpack() -> Result<(), Box<dyn Error>> {
        let out = std::env::var("OUT_DIR")?;
        let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
        for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
            let inside = format!("/dist/{name}");
            let path = archive
                .file_names()
                .filter_map(Result::ok)
                .find(|path| path.ends_with(&inside))
                .ok_or_else(|| format!("the Swagger UI archive has no {inside}"))?
                .into_owned();
            let file = File::create(Path::new(&out).join(format!("{name}.gz")))?;
            let mut gzip = GzEncoder::new(file, Compression::best());
            copy(&mut archive.by_name(&path)?, &mut gzip)?;
            gzip.finish()?;
        }
        Ok(())
    }
}
