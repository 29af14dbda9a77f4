//! The certificate: the operator's own, or one that the server makes for itself and keeps.
//!
//! A certificate of our own is trusted by nobody but the boxes, which pin its public key at enrolment; a browser warns.
//! Whoever wants no warning gives files, or puts a proxy in front.

use std::{path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};

use super::folder::write_private;

/// How long a certificate of our own is valid: until long after the machine is scrap, since boxes pin its key and have
/// no good clock when they start.
const LAST_YEAR: i32 = 2099;

/// A certificate in use.
pub struct Tls {
    /// For the server.
    pub config: RustlsConfig,
    /// The SHA-256 of its public key (SubjectPublicKeyInfo, RFC 5280), which boxes pin.
    pub spki: [u8; 32],
}

/// Reads a certificate and its key from PEM files.
pub fn read(cert: &Path, key: &Path) -> anyhow::Result<Tls> {
    let certs = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("reading the certificate {}", cert.display()))?;
    let leaf = certs
        .first()
        .ok_or_else(|| anyhow!("{}: there is no certificate in it", cert.display()))?;
    let parsed = ParsedCertificate::try_from(leaf)
        .with_context(|| format!("{}: this is no certificate", cert.display()))?;
    let spki = Sha256::digest(parsed.subject_public_key_info()).into();
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("reading the private key {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_no_client_auth()
        .with_single_cert(certs, private)
        .with_context(|| format!("{} does not belong to {}", key.display(), cert.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls {
        config: RustlsConfig::from_config(Arc::new(config)),
        spki,
    })
}

/// The certificate in this folder; makes it first if there is none.
pub fn own(folder: &Path, names: Vec<String>) -> anyhow::Result<Tls> {
    let (cert, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    if !cert.exists() || !key.exists() {
        make(&cert, &key, names).context("making a certificate")?;
        log::info!(file = cert.display().to_string().as_str(); "made a certificate of our own");
    }
    read(&cert, &key)
}

fn make(cert: &Path, key: &Path, names: Vec<String>) -> anyhow::Result<()> {
    let pair = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(names)?;
    params.not_after = rcgen::date_time_ymd(LAST_YEAR, 12, 31);
    let made = params.self_signed(&pair)?;
    write_private(key, &pair.serialize_pem())?;
    write_private(cert, &made.pem())
}
