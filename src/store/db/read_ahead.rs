//! Reads the pages that a write will need before its turn comes, while the file is larger than what the system keeps of it in
//! memory. The writer alone would wait for one page after the other, and everybody would stand behind it.
//!
//! Whether that is so is not guessed: Linux counts what each thread has read from the disk (`proc_pid_io(5)`). The writer
//! looks at its own count after each commit, and each thread here after each task. While few of them read from the disk,
//! nothing is read ahead: it would cost more than it saves.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::fault::DbResult;
use super::sqlite::{Reader, Readers};
use crate::error::Fault;

/// How many pages are read at once: common disks answer so many requests hardly later than one.
const THREADS: u32 = 16;
/// How much of the file each of them may cache, in KiB. The system's cache is what they fill.
const CACHE_KIB: u32 = 512;
/// Tasks that may wait; a write beyond them is not read ahead for.
const QUEUE: usize = 1024;
/// Of so many writes in a row it is counted how many read from the disk.
const WINDOW: u32 = 256;
/// Reading ahead is worth its cost from one in so many on.
const SHARE: u32 = 10;
/// Bytes of a page.
const PAGE: u64 = 4096;

/// Reads for one write, if it gets a connection, and then queues it.
pub(in crate::store) type Task = Box<dyn FnOnce(Option<&mut Reader>) + Send>;

/// Whether the database is read from the disk, and not from memory.
#[derive(Default)]
pub(in crate::store) struct DiskReads {
    /// Writes since the window began, and those of them that read from the disk.
    writes: AtomicU32,
    hits: AtomicU32,
    are_common: AtomicBool,
}

impl DiskReads {
    /// Counts writes, for which so many pages were read from the disk.
    fn count(&self, writes: u32, pages: u32) {
        let hits = pages.min(writes);
        let hits = self.hits.fetch_add(hits, Ordering::Relaxed).saturating_add(hits);
        let writes = self.writes.fetch_add(writes, Ordering::Relaxed).saturating_add(writes);
        if writes >= WINDOW {
            self.are_common.store(hits.saturating_mul(SHARE) >= writes, Ordering::Relaxed);
            self.hits.store(0, Ordering::Relaxed);
            self.writes.store(0, Ordering::Relaxed);
        }
    }

    fn are_common(&self) -> bool {
        self.are_common.load(Ordering::Relaxed)
    }
}

/// Notes what one thread reads from the disk.
pub(super) struct ReadsOfThread {
    /// Its counters. Absent where the system does not count, or hides it: then nothing is noted.
    counters: Option<File>,
    bytes: u64,
    reads: Arc<DiskReads>,
}

impl ReadsOfThread {
    /// Of the thread that calls this.
    pub(super) fn watch(reads: Arc<DiskReads>) -> ReadsOfThread {
        let mut watch = ReadsOfThread { counters: File::open("/proc/thread-self/io").ok(), bytes: 0, reads };
        watch.bytes = watch.read_bytes();
        watch
    }

    fn read_bytes(&self) -> u64 {
        let mut text = [0; 256];
        let length = self.counters.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let text = text.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let bytes = text.lines().find_map(|line| line.strip_prefix("read_bytes: "));
        bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
    }

    /// After so many writes, or after reading ahead for them.
    pub(super) fn look(&mut self, writes: usize) {
        let bytes = self.read_bytes();
        let pages = bytes.saturating_sub(self.bytes).div_ceil(PAGE);
        self.bytes = bytes;
        self.reads.count(u32::try_from(writes).unwrap_or(u32::MAX), u32::try_from(pages).unwrap_or(u32::MAX));
    }
}

/// The threads that read ahead. They start when they are needed first, and end when this is dropped.
pub(in crate::store) struct ReadAhead {
    path: PathBuf,
    reads: Arc<DiskReads>,
    pool: OnceLock<Option<Pool>>,
}

struct Pool {
    tasks: Option<SyncSender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

impl ReadAhead {
    pub(in crate::store) fn new(path: &Path, reads: Arc<DiskReads>) -> ReadAhead {
        ReadAhead { path: path.to_owned(), reads, pool: OnceLock::new() }
    }

    /// Whether reading ahead is worth its cost.
    pub(in crate::store) fn is_needed(&self) -> bool {
        self.reads.are_common()
    }

    /// Runs `task` on a thread of its own with a connection that reads. Where that cannot be, it runs here and without one.
    pub(in crate::store) fn run(&self, task: Task) {
        let started = self.pool.get_or_init(|| {
            let pool = Pool::start(&self.path, &self.reads);
            pool.inspect_err(|cause| tracing::warn!(event = "read_ahead_failed", cause = %cause)).ok()
        });
        match started.as_ref().and_then(|pool| pool.tasks.as_ref()) {
            None => task(None),
            Some(tasks) => {
                if let Err(TrySendError::Full(task) | TrySendError::Disconnected(task)) = tasks.try_send(task) {
                    task(None);
                }
            }
        }
    }
}

impl Pool {
    fn start(path: &Path, reads: &Arc<DiskReads>) -> DbResult<Pool> {
        let readers = Arc::new(Readers::open_some(path, THREADS, CACHE_KIB)?);
        let (tasks, received) = sync_channel(QUEUE);
        let received = Arc::new(Mutex::new(received));
        let mut pool = Pool { tasks: Some(tasks), threads: vec![] };
        for _ in 0..THREADS {
            let (readers, received, reads) = (Arc::clone(&readers), Arc::clone(&received), Arc::clone(reads));
            let thread = std::thread::Builder::new().name("till-read-ahead".into());
            let thread = thread.spawn(move || serve(&readers, &received, reads));
            pool.threads.push(thread.map_err(|cause| Fault::new("cannot start a thread that reads ahead", cause))?);
        }
        Ok(pool)
    }
}

impl Drop for Pool {
    /// Waits until what is queued is done. The last owner of the store may have been a task; this is then its own thread,
    /// which cannot be waited for here.
    fn drop(&mut self) {
        drop(self.tasks.take());
        let others = self.threads.drain(..).filter(|thread| thread.thread().id() != std::thread::current().id());
        others.for_each(|thread| drop(thread.join()));
    }
}

fn serve(readers: &Readers, tasks: &Mutex<Receiver<Task>>, reads: Arc<DiskReads>) {
    let mut watch = ReadsOfThread::watch(reads);
    loop {
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = task else { return };
        // There is a connection for each thread.
        task(readers.free_connection().as_mut());
        watch.look(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_reads_from_the_disk_is_seen_and_what_it_reads_from_memory_is_not() {
        let reads = Arc::<DiskReads>::default();
        let path = std::env::temp_dir().join(format!("till-read-ahead-{}", std::process::id()));
        std::fs::write(&path, vec![1; 1 << 20]).unwrap();
        let file = File::open(&path).unwrap();
        file.sync_all().unwrap();
        let mut watch = ReadsOfThread::watch(Arc::clone(&reads));
        let before = watch.read_bytes();
        file.read_at(&mut [0; 4096], 0).unwrap();
        let from_memory = watch.read_bytes() == before;
        watch.look(1);
        assert_eq!(reads.hits.load(Ordering::Relaxed) == 0, from_memory);
        let before = watch.read_bytes();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        file.read_at(&mut [0; 4096], 512 << 10).unwrap();
        // Where the folder lies in memory, nothing is ever read from a disk.
        let from_disk = watch.read_bytes() > before;
        let hits = reads.hits.load(Ordering::Relaxed);
        watch.look(1);
        assert_eq!(reads.hits.load(Ordering::Relaxed) > hits, from_disk);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn reading_ahead_begins_when_many_writes_read_from_the_disk_and_ends_when_few_do() {
        let reads = DiskReads::default();
        reads.count(WINDOW - 1, 1000);
        assert!(!reads.are_common(), "a window is counted to its end");
        reads.count(1, 0);
        assert!(reads.are_common());
        for _ in 0..WINDOW {
            reads.count(1, 0);
        }
        assert!(!reads.are_common());
        reads.count(WINDOW, WINDOW / SHARE - 1);
        assert!(!reads.are_common(), "a few pages that the system gave up");
    }
}
