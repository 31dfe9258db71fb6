//! Where secrets are kept: the system's key store, or an encrypted file where there is none
//! (`docs/adr/0011-secrets.md`).

use pocketbench_domain::{ErrorCode, ErrorReport};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
use zeroize::Zeroizing;

/// Name under which the system's key store lists what is ours.
const SERVICE: &str = "pocketbench";
/// Longest secret. Tokens have some dozens of characters.
const MAX_SECRET: usize = 4096;
/// Longest wait for the system's key store, which may ask the person to unlock it.
const PATIENCE: Duration = Duration::from_secs(20);
const KEY_FILE: &str = "secrets.key";
const SECRETS_FILE: &str = "secrets.json";

/// A token or key. Never shown, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret as a person gave it, white space around it ignored.
    ///
    /// # Errors
    /// [`KeyError::NotASecret`] for nothing, for more than 4 kB, and for characters that are no part of any token: a line
    /// break within one would end up in a header.
    pub fn new(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = Zeroizing::new(text.into());
        let trimmed = text.trim();
        let sound = (1..=MAX_SECRET).contains(&trimmed.len()) && trimmed.bytes().all(|b| b.is_ascii_graphic());
        if sound { Ok(Self(Zeroizing::new(trimmed.to_owned()))) } else { Err(KeyError::NotASecret) }
    }

    /// The secret itself, for the one request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// What was given is no token or key.
    #[error("this is no token: it is empty, too long, or has spaces or line breaks in it")]
    NotASecret,
    /// The system's key store does not answer, or refuses.
    #[error("the system's key store cannot be used: {0}")]
    Store(String),
    /// The encrypted file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// In the system's words.
        source: io::Error,
    },
    /// The encrypted file was damaged, or its key belongs to another one.
    #[error("{} cannot be decrypted", .0.display())]
    Damaged(PathBuf),
}

impl From<KeyError> for ErrorReport {
    fn from(error: KeyError) -> Self {
        let message = error.to_string();
        match error {
            KeyError::NotASecret => {
                Self::new(ErrorCode::InvalidInput, message).hint("Copy it again, without anything around it.")
            }
            KeyError::Store(_) => Self::new(ErrorCode::KeyStoreUnavailable, message)
                .hint("Unlock the key store of this account and try again."),
            KeyError::File { .. } => {
                Self::new(ErrorCode::KeyStoreUnavailable, message).hint("Check that the data folder can be written.")
            }
            KeyError::Damaged(_) => {
                Self::new(ErrorCode::KeyStoreUnavailable, message).hint("Delete that file and give the token again.")
            }
        }
    }
}

/// Where secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the system's key store.
    KeyStore,
    /// In an encrypted file of this account.
    EncryptedFile,
}

/// Keeps secrets by name. Cheap to make; blocks while it works, so not for an async task's own thread.
#[derive(Debug, Clone)]
pub struct KeyStore {
    folder: PathBuf,
    place: Place,
}

impl KeyStore {
    /// The system's key store where there is one that answers; else an encrypted file in `data_folder`.
    #[must_use]
    pub fn open(data_folder: &Path) -> Self {
        // Asked once: whether there is one does not change while the program runs.
        static PLACE: OnceLock<Place> = OnceLock::new();
        let place = *PLACE.get_or_init(|| match with_patience(|| entry("probe")?.get_password().map(|_| ())) {
            Ok(()) | Err(Refusal::NoEntry) => Place::KeyStore,
            Err(Refusal::Other(error)) => {
                tracing::info!(error, "no key store of the system can be used; secrets go to an encrypted file");
                Place::EncryptedFile
            }
        });
        Self { folder: data_folder.into(), place }
    }

    /// An encrypted file in `data_folder`, whatever the system has.
    #[must_use]
    pub fn in_file(data_folder: &Path) -> Self {
        Self { folder: data_folder.into(), place: Place::EncryptedFile }
    }

    /// Where secrets go.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Keeps a secret, in place of an earlier one of that name.
    pub fn set(&self, name: &str, secret: &Secret) -> Result<(), KeyError> {
        match self.place {
            Place::KeyStore => {
                let (owned, secret) = (name.to_owned(), secret.clone());
                with_patience(move || entry(&owned)?.set_password(secret.expose())).map_err(Refusal::into_error)?;
                // An older one in the file would not be asked for again; it is only to be gone.
                if let Err(error) = self.delete_from_file(name) {
                    tracing::warn!(%error, "a secret that is now in the key store is still in the file");
                }
                Ok(())
            }
            Place::EncryptedFile => {
                let mut secrets = self.read()?;
                secrets.insert(name.to_owned(), self.seal(name, secret)?);
                self.write(&secrets)
            }
        }
    }

    /// A secret, if there is one of that name.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, KeyError> {
        match self.place {
            Place::KeyStore => {
                let owned = name.to_owned();
                match with_patience(move || entry(&owned)?.get_password()) {
                    Ok(text) => Secret::new(text).map(Some),
                    Err(Refusal::NoEntry) => self.move_from_file(name),
                    Err(refusal) => Err(refusal.into_error()),
                }
            }
            Place::EncryptedFile => self.get_from_file(name),
        }
    }

    /// Forgets a secret. Nothing happens if there is none.
    pub fn delete(&self, name: &str) -> Result<(), KeyError> {
        match self.place {
            Place::KeyStore => {
                let owned = name.to_owned();
                match with_patience(move || entry(&owned)?.delete_credential()) {
                    Ok(()) | Err(Refusal::NoEntry) => self.delete_from_file(name),
                    Err(refusal) => Err(refusal.into_error()),
                }
            }
            Place::EncryptedFile => self.delete_from_file(name),
        }
    }

    /// What was given where the key store did not answer, such as over a remote shell, goes there when it does.
    fn move_from_file(&self, name: &str) -> Result<Option<Secret>, KeyError> {
        let secret = self.get_from_file(name)?;
        if let Some(secret) = &secret
            && let Err(error) = self.set(name, secret)
        {
            tracing::info!(%error, "a secret stays in the file");
        }
        Ok(secret)
    }

    fn get_from_file(&self, name: &str) -> Result<Option<Secret>, KeyError> {
        self.read()?.get(name).map(|sealed| self.unseal(name, sealed)).transpose()
    }

    fn delete_from_file(&self, name: &str) -> Result<(), KeyError> {
        let mut secrets = self.read()?;
        if secrets.remove(name).is_some() { self.write(&secrets) } else { Ok(()) }
    }

    fn read(&self) -> Result<BTreeMap<String, Sealed>, KeyError> {
        let path = self.folder.join(SECRETS_FILE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| KeyError::Damaged(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(source) => Err(KeyError::File { path, source }),
        }
    }

    fn write(&self, secrets: &BTreeMap<String, Sealed>) -> Result<(), KeyError> {
        let path = self.folder.join(SECRETS_FILE);
        let text = serde_json::to_vec(secrets).map_err(|_| KeyError::Damaged(path.clone()))?;
        write_private(&path, &text)
    }

    /// The key that the file is encrypted with; made when there is none.
    fn key(&self) -> Result<LessSafeKey, KeyError> {
        let path = self.folder.join(KEY_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = Zeroizing::new(vec![0; CHACHA20_POLY1305.key_len()]);
                random(&mut bytes)?;
                write_private(&path, &bytes)?;
                bytes
            }
            Err(source) => return Err(KeyError::File { path, source }),
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| KeyError::Damaged(path))?;
        Ok(LessSafeKey::new(key))
    }

    fn seal(&self, name: &str, secret: &Secret) -> Result<Sealed, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        // With room for the tag, so that no copy is left behind where it grew.
        let mut bytes = Vec::with_capacity(secret.expose().len() + CHACHA20_POLY1305.tag_len());
        bytes.extend_from_slice(secret.expose().as_bytes());
        self.key()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut bytes)
            .map_err(|_| KeyError::Store("it cannot be encrypted".into()))?;
        Ok(Sealed { nonce: nonce.to_vec(), bytes })
    }

    fn unseal(&self, name: &str, sealed: &Sealed) -> Result<Secret, KeyError> {
        let damaged = || KeyError::Damaged(self.folder.join(SECRETS_FILE));
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| damaged())?;
        let mut bytes = Zeroizing::new(sealed.bytes.clone());
        let plain = self.key()?.open_in_place(nonce, Aad::from(name), &mut bytes).map_err(|_| damaged())?;
        Secret::new(std::str::from_utf8(plain).map_err(|_| damaged())?)
    }
}

/// An encrypted secret.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    nonce: Vec<u8>,
    bytes: Vec<u8>,
}

fn random(bytes: &mut [u8]) -> Result<(), KeyError> {
    SystemRandom::new().fill(bytes).map_err(|_| KeyError::Store("the system gives no random numbers".into()))
}

/// Writes a file that this account alone may read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    let failed = |source| KeyError::File { path: path.into(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let new = path.with_extension("new");
    // A file that is there already may be readable by others.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&new).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

enum Refusal {
    NoEntry,
    Other(String),
}

impl Refusal {
    fn into_error(self) -> KeyError {
        KeyError::Store(match self {
            Self::NoEntry => "it has no such entry".into(),
            Self::Other(error) => error,
        })
    }
}

fn entry(name: &str) -> keyring::Result<keyring::Entry> {
    keyring::Entry::new(SERVICE, name)
}

/// Asks the system's key store on a thread of its own: it may wait for a person who is not there.
fn with_patience<T: Send + 'static>(ask: impl FnOnce() -> keyring::Result<T> + Send + 'static) -> Result<T, Refusal> {
    let (answer, wait) = mpsc::channel();
    std::thread::spawn(move || answer.send(ask()).ok());
    match wait.recv_timeout(PATIENCE) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(keyring::Error::NoEntry)) => Err(Refusal::NoEntry),
        Ok(Err(error)) => Err(Refusal::Other(error.to_string())),
        Err(_) => Err(Refusal::Other("it does not answer".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn a_secret_is_never_shown_and_has_no_line_breaks() {
        assert_eq!(secret(" hf_abc\n").expose(), "hf_abc");
        assert_eq!(format!("{:?}", secret("hf_abc")), "Secret(…)");
        for bad in ["", " ", "a b", "a\nb", "a\r\nEvil: yes", "clé", &"x".repeat(MAX_SECRET + 1)] {
            assert!(matches!(Secret::new(bad), Err(KeyError::NotASecret)), "{bad:?}");
        }
    }

    #[test]
    fn the_file_gives_back_what_it_was_given_and_shows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::in_file(folder.path());
        assert!(keys.get("hub").unwrap().is_none());
        keys.delete("hub").unwrap();
        keys.set("hub", &secret("hf_first")).unwrap();
        keys.set("hub", &secret("hf_second")).unwrap();
        keys.set("cloud", &secret("sk-third")).unwrap();
        let again = KeyStore::in_file(folder.path());
        assert_eq!(again.get("hub").unwrap().unwrap().expose(), "hf_second");
        assert_eq!(again.get("cloud").unwrap().unwrap().expose(), "sk-third");
        let text = fs::read_to_string(folder.path().join(SECRETS_FILE)).unwrap();
        assert!(!text.contains("hf_") && !text.contains("sk-"));
        again.delete("hub").unwrap();
        assert!(keys.get("hub").unwrap().is_none());
        #[cfg(unix)]
        for file in [KEY_FILE, SECRETS_FILE] {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file} is for this account alone");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_was_left_behind_makes_nothing_readable() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("secrets.new");
        fs::write(&left, "").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
        KeyStore::in_file(folder.path()).set("hub", &secret("hf_first")).unwrap();
        for file in [KEY_FILE, SECRETS_FILE] {
            let mode = fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file} is for this account alone");
        }
    }

    #[test]
    fn damage_is_said_and_nothing_is_made_up() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyStore::in_file(folder.path());
        keys.set("hub", &secret("hf_first")).unwrap();
        let path = folder.path().join(SECRETS_FILE);
        let good = fs::read(&path).unwrap();
        // Under another name it is another secret.
        fs::write(&path, String::from_utf8(good.clone()).unwrap().replace("hub", "cap")).unwrap();
        assert!(matches!(keys.get("cap"), Err(KeyError::Damaged(_))));
        fs::write(&path, b"{").unwrap();
        assert!(matches!(keys.get("hub"), Err(KeyError::Damaged(_))));
        fs::write(&path, &good).unwrap();
        fs::write(folder.path().join(KEY_FILE), [7; 32]).unwrap();
        assert!(matches!(keys.get("hub"), Err(KeyError::Damaged(_))));
        fs::write(folder.path().join(KEY_FILE), [7; 3]).unwrap();
        assert!(matches!(keys.get("hub"), Err(KeyError::Damaged(_))));
    }
}
