# Completion of machins. Load it with: source <(machins completions bash)
_machins() {
    local program=${COMP_WORDS[0]/#\~/$HOME} line
    type -P -- "$program" >/dev/null || program=machins
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(
        MACHINS_COMPLETE=bash MACHINS_COMPLETE_LINE="${COMP_LINE:0:${COMP_POINT:-0}}" \
            MACHINS_COMPLETE_WORD="${2-${COMP_WORDS[COMP_CWORD]}}" \
            "$program" -- "${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null
    )
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F _machins machins 2>/dev/null || complete -F _machins machins
