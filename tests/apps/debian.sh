#!/bin/bash
# debian.sh FOLDER SCRIPT: runs SCRIPT as root on a copy of this system that is thrown away at its end, with all
# processes that it started. FOLDER is /root/install there. Started by: unshare --mount --pid --fork --kill-child
# Exit code 77: the kernel doesn't give this machine such a copy.
set -euo pipefail
folder=$1 script=$2
scratch=$folder/scratch
mkdir "$scratch"
mount -t tmpfs tmpfs "$scratch" || exit 77
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root" || exit 77
cd "$scratch/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs tmp
chmod 1777 tmp
rm -rf opt/chainfirst etc/chainfirst var/lib/chainfirst usr/local/bin/chainfirst
rm -rf var/lib/postgresql/*/main etc/postgresql/*/main
mkdir -p root/install etc/systemd/system usr/local/sbin
mount --bind "$folder/install" root/install
install --mode 0755 "$folder/systemctl.py" usr/local/sbin/systemctl
exec chroot . /usr/bin/env --ignore-environment \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${FORWARDED:-} \
    /bin/bash -c "cd /root/install && exec bash '/root/install/$(basename "$script")'"
