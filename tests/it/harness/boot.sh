# Boots a small Debian in namespaces of its own. Run by tests/it/harness/machine.rs:
#
#   sh boot.sh TREE FOLDER INIT…
#
# TREE is never written to; what changes is in FOLDER, and the machine's root is FOLDER/root.
set -e
tree=$1 folder=$2
shift 2
mkdir -p "$folder/root" "$folder/layers" "$folder/cgroup"

# A branch of its own in the tree of control groups, which its systemd takes for the whole tree.
mount -t cgroup2 cgroup2 "$folder/cgroup"
branch="$folder/cgroup/till-test-$$"
mkdir "$branch"

# It ends with this script, however that ends.
setpriv --pdeathsig KILL sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$branch" \
    unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child sh -c '
set -e
tree=$1 folder=$2
shift 2
root="$folder/root"
# Layers need a file system that can carry them; the one below may be a layer itself.
mount -t tmpfs -o mode=755 layers "$folder/layers"
mkdir "$folder/layers/upper" "$folder/layers/work"
mount -t overlay -o "lowerdir=$tree,upperdir=$folder/layers/upper,workdir=$folder/layers/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
hostname till-test
# Not chroot: in one, the kernel makes no user namespace, which PrivateUsers= needs.
cd "$root"
mkdir -p former
pivot_root . former
umount -l /former
# As systemd finds it on a machine: it makes credentials in a child, and the mount has to come back from there.
mount --make-rshared /
exec env -i container=lxc PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
' boot "$tree" "$folder" "$@" || true
find "$branch" -depth -type d -exec rmdir {} +
