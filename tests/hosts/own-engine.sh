# An engine beside the machine's own: sh own-engine.sh FOLDER POOL FLAGS...
#
# Runs as the first process of its own namespaces of processes and mounts, so that nothing outlives
# it but what is removed at the end. The network is the machine's: runners reach the test there,
# and no firewall rule of the machine's own engine is touched. Orders come on standard input; the
# end of it, also by the death of who gives them, is the end of the engine.
folder=$1 pool=$2 name=$(basename "$1")
shift 2
exec 2>>"$folder/log"

# What every engine would share with the machine's own: the file of its id, its shims' sockets.
for private in "$folder/private" /etc/docker /run/containerd; do
    mkdir -p "$private" && mount -t tmpfs tmpfs "$private" || exit 1
done
echo '{}' >"$folder/daemon.json"

# An engine told to do without a bridge would remove that of the machine's own.
bridge=ag-${name#*-}
ip link add name "$bridge" type bridge || exit 1
ip address add "$pool.1/27" dev "$bridge" && ip link set "$bridge" up || exit 1

engine() {
    dockerd --config-file "$folder/daemon.json" --pidfile "$folder/private/pid" \
        --data-root "$folder/private/data" --exec-root "$folder/private/exec" \
        --host "unix://$folder/docker.sock" --storage-driver vfs --shutdown-timeout 1 \
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$name" \
        --bridge "$bridge" --iptables=false --ip6tables=false --ip-masq=false --userland-proxy=false \
        --default-address-pool "base=$pool.0/24,size=27" "$@" >>"$folder/log" 2>&1
}

echo ready >>"$folder/obeyed"
while read -r order; do
    case $order in
    start)
        engine "$@" &
        ;;
    stop)
        kill "$(cat "$folder/private/pid")"
        wait
        ;;
    crash)
        kill -9 -1
        wait
        ;;
    esac
    echo "$order" >>"$folder/obeyed"
done

kill -9 -1
wait
ip -o -4 address | while read -r _ link _ address _; do
    [[ $address != "$pool".* ]] || ip link delete "$link"
done
find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} +
# The test does the same, unless it was killed.
umount --lazy "$folder/private" && rm -rf "$folder"
