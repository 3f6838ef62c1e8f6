# Podman's API beside the machine's own containers: bash own-podman.sh FOLDER
#
# Runs as the first process of its own namespaces of processes, mounts and networks: its bridges,
# firewall rules, locks and containers are nobody else's. It ends with standard input.
folder=$1
exec 2>>"$folder/log"
for private in /run /var/lib /dev/shm; do
    mount -t tmpfs tmpfs "$private" || exit 1
done
ip link set lo up || exit 1
# Podman would raise limits, which not every root may.
cat >"$folder/containers.conf" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
END

CONTAINERS_CONF=$folder/containers.conf podman --storage-driver vfs --cgroup-manager cgroupfs \
    --events-backend file --network-config-dir /var/lib/networks \
    system service --time 0 "unix://$folder/podman.sock" >>"$folder/log" &
echo ready >>"$folder/obeyed"
cat >/dev/null

kill -9 -1
wait
find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null
# The test does the same, unless it was killed.
rm -rf "$folder"
