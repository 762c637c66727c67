#compdef machins
# Completion of machins. Load it with: source <(machins completions zsh)
_machins() {
    local program=${(Q)words[1]} line
    program=${program/#\~/$HOME}
    whence -p -- $program >/dev/null || program=machins
    local -a values folders
    while IFS= read -r line; do
        if [[ ${line%%:*} == */ ]]; then
            folders+=("$line")
        else
            values+=("$line")
        fi
    done < <(MACHINS_COMPLETE=zsh $program -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#values )) && _describe -V 'machins' values
    (( $#folders )) && _describe -V 'machins' folders -S ''
}
if [[ $funcstack[1] == _machins ]]; then
    _machins "$@"
else
    compdef _machins machins
fi
