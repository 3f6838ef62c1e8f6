#!/bin/sh
# Shows the plan of autogit.yaml in its merge request: one comment, found by a mark that readers do not
# see, and written anew by each pipeline.
set -eu

mark='<!-- autogit plan -->'
notes="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

# Tokens go by files: what stands in a command line is read by all processes of the machine.
printf '%s' "$AUTOGIT_PLAN_TOKEN" > "$work/plan-token"
printf 'header = "PRIVATE-TOKEN: %s"\n' "$AUTOGIT_NOTE_TOKEN" > "$work/curl"

ask() {
    curl --config "$work/curl" --fail --silent --show-error --max-time 60 "$@"
}

{
    printf '%s\n' "$mark"
    # A plan that cannot be made is told, too, and ends the job as it should.
    autogit plan autogit.yaml --format markdown \
        --server "$AUTOGIT_SERVER" --token-file "$work/plan-token" 2> "$work/why" || {
        echo $? > "$work/failed"
        printf '### AutoGit plan: none\n\n```text\n'
        # Nothing in it may end the fence.
        sed 's/```/---/g' "$work/why"
        printf '```\n'
    }
} > "$work/note"
cat "$work/why" >&2

# Only a comment of this token's own user is written anew: anybody can write the mark.
me=$(ask "$CI_API_V4_URL/user" | jq .id)
page=1
note=
while [ -z "$note" ] && [ -n "$page" ]; do
    ask --dump-header "$work/headers" "$notes?per_page=100&sort=asc&page=$page" > "$work/notes"
    note=$(jq --arg mark "$mark" --argjson me "$me" \
        'map(select(.author.id == $me and (.body | startswith($mark)))) | .[0].id // empty' \
        < "$work/notes")
    page=$(tr -d '\r' < "$work/headers" | sed -n 's/^[Xx]-[Nn]ext-[Pp]age: *//p')
done

jq --raw-input --slurp '{body: .}' < "$work/note" > "$work/body"
if [ -n "$note" ]; then
    ask --request PUT --header 'Content-Type: application/json' --data "@$work/body" \
        "$notes/$note" > /dev/null
    echo "comment $note was written anew"
else
    ask --request POST --header 'Content-Type: application/json' --data "@$work/body" \
        "$notes" > /dev/null
    echo "a comment was written"
fi

exit "$(cat "$work/failed" 2> /dev/null || echo 0)"
