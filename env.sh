# Enter the built environment: `. ./env.sh` in bash, zsh, dash or any other POSIX shell.
# Only bash and zsh tell a sourced file its own place; elsewhere source it from this folder.
# shellcheck shell=sh
if [ -n "${BASH_SOURCE:-}" ]; then
  _hand_recon_root=$(CDPATH='' cd -- "$(dirname -- "$BASH_SOURCE")" && pwd -P)
elif [ -n "${ZSH_VERSION:-}" ]; then
  _hand_recon_root=$(eval 'CDPATH="" cd -- "${${(%):-%x}:A:h}" && pwd -P')
else
  _hand_recon_root=$(pwd -P)
fi
if [ -r "$_hand_recon_root/install/environment.sh" ]; then
  . "$_hand_recon_root/install/environment.sh" || {
    unset _hand_recon_root
    return 1
  }
else
  echo "env.sh: nothing is built in '$_hand_recon_root': run 'make setup' there first" >&2
  unset _hand_recon_root
  return 1
fi
unset _hand_recon_root
