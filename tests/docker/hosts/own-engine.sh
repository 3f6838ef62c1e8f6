# An engine beside the machine's own: sh own-engine.sh FOLDER POOL FLAGS...
#
# Runs as the first process of its own namespaces of processes and mounts, with a network of the
# engine's own, so that nothing outlives it but what is removed at the end. An engine in the
# machine's own network would now and then remove `docker0`. Orders come on standard input; the end
# of it, also by the death of who gives them, is the end of the engine.
folder=$1 pool=$2 name=$(basename "$1")
shift 2
# What a test puts there the engine finds as if it were installed.
PATH=$folder/bin:$PATH
exec 2>>"$folder/log"

# What every engine would share with the machine's own: the file of its id, its shims' sockets.
for private in "$folder/private" /etc/docker /run/containerd; do
    mkdir -p "$private" && mount -t tmpfs tmpfs "$private" || exit 1
done
echo '{}' >"$folder/daemon.json"

# Users for an engine that remaps those of its containers.
for file in subuid subgid; do
    echo daemon:100000:65536 >"$folder/private/$file"
    [ ! -e "/etc/$file" ] || mount --bind "$folder/private/$file" "/etc/$file" || exit 1
done

# The machine is .1, the engine .2 and .3, and its containers have the rest.
link=ag-${name#*-} network=$folder/private/network
touch "$network" && unshare --net="$network" true || exit 1
ip link add "$link" type veth peer name eth0 netns "$network" || exit 1
ip address add "$pool.1/28" dev "$link" && ip link set "$link" up || exit 1
ip route add "$pool.0/24" via "$pool.2" || exit 1
inside() {
    nsenter --net="$network" "$@"
}
inside ip link set lo up
inside ip address add "$pool.2/28" dev eth0 && inside ip address add "$pool.3/28" dev eth0 || exit 1
inside ip link set eth0 up && inside ip route add default via "$pool.1" || exit 1

engine() {
    inside dockerd --config-file "$folder/daemon.json" --pidfile "$folder/private/pid" \
        --data-root "$folder/private/data" --exec-root "$folder/private/exec" \
        --host "unix://$folder/docker.sock" --storage-driver vfs --shutdown-timeout 1 \
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$name" \
        --bip "$pool.17/28" --iptables=false --ip6tables=false --ip-masq=false --userland-proxy=false \
        --default-address-pool "base=$pool.128/25,size=28" "$@" >>"$folder/log" 2>&1
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
ip link delete "$link"
find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} +
# The test does the same, unless it was killed.
umount --lazy "$folder/private" && rm -rf "$folder"
