//! Compresses the files of the console, if the feature `console` is on, and takes the two Swagger UI
//! files that `/docs` needs out of the archive that crates.io carries, if `swagger-ui` is.
//!
//! Swagger UI is by `SmartBear` Software, under the Apache License 2.0.

#[cfg(any(feature = "console", feature = "swagger-ui"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "console")]
    console::compress()?;
    #[cfg(feature = "swagger-ui")]
    swagger_ui::unpack()?;
    Ok(())
}

#[cfg(not(any(feature = "console", feature = "swagger-ui")))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}

/// Returns a file of the build that is compressed while it is written.
#[cfg(any(feature = "console", feature = "swagger-ui"))]
fn gzip(name: &str) -> std::io::Result<flate2::write::GzEncoder<std::fs::File>> {
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    let file = std::fs::File::create(std::path::Path::new(&out).join(format!("{name}.gz")))?;
    Ok(flate2::write::GzEncoder::new(file, flate2::Compression::best()))
}

#[cfg(feature = "console")]
mod console {
    use std::fs;
    use std::io::{self, Write};

    pub(super) fn compress() -> io::Result<()> {
        for name in ["console.css", "console.js", "icon.svg"] {
            let path = format!("src/console/assets/{name}");
            println!("cargo::rerun-if-changed={path}");
            let mut gzip = super::gzip(name)?;
            gzip.write_all(&fs::read(path)?)?;
            gzip.finish()?;
        }
        Ok(())
    }
}

#[cfg(feature = "swagger-ui")]
mod swagger_ui {
    use std::error::Error;
    use std::io::{Cursor, copy};

    use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
    use zip::ZipArchive;

    pub(super) fn unpack() -> Result<(), Box<dyn Error>> {
        let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
        for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
            let inside = format!("/dist/{name}");
            let path = archive
                .file_names()
                .filter_map(Result::ok)
                .find(|path| path.ends_with(&inside))
                .ok_or_else(|| format!("the Swagger UI archive has no {inside}"))?
                .into_owned();
            let mut gzip = super::gzip(name)?;
            copy(&mut archive.by_name(&path)?, &mut gzip)?;
            gzip.finish()?;
        }
        Ok(())
    }
}
