#!/usr/bin/env bash
# Build the page that estimates in the browser as static files, to be put on any web server as they are.
#   scripts/build_web.sh [FOLDER]     # default: out/web
# Needs npm and, the first time, a network or a package cache: the runtime (LiteRT in WebAssembly, 9.4 MB, and the same
# for older browsers) comes from npm, in the version of web/package-lock.json.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
target=${1:-out/web}
fetched=out/web_runtime

if [ -e "$target" ] && [ ! -e "$target/runtime/core.js" ]; then
    echo "build_web.sh: $target is there and is no page built by this script; choose another folder" >&2
    exit 2
fi
if ! cmp -s web/package-lock.json "$fetched/package-lock.json" || [ ! -d "$fetched/node_modules/@litertjs/core/wasm" ]; then
    if ! command -v npm > /dev/null; then
        echo "build_web.sh: npm is needed to get the runtime; install Node.js 20 or newer" >&2
        exit 2
    fi
    rm -rf "$fetched" && mkdir -p "$fetched"
    cp web/package.json "$fetched"
    cp web/package-lock.json "$fetched/.lock.json"
    (cd "$fetched" && mv .lock.json package-lock.json && npm ci --ignore-scripts --no-audit --no-fund --silent) || {
        rm -rf "$fetched"
        echo "build_web.sh: npm could not get the runtime; with a network or a package cache, run it again" >&2
        exit 1
    }
fi

new=$target.partial
rm -rf "$new" && mkdir -p "$new/model" "$new/runtime"
cp web/*.html web/*.css web/*.js "$new"
cp save/jpeg_paper/comp_cls.tflite save/jpeg_paper/phone.json "$new/model"
cp LICENSE "$new"
# Two builds of the runtime; the runtime itself loads the second where a browser lacks relaxed SIMD.
cp "$fetched"/node_modules/@litertjs/core/wasm/litert_wasm{,_compat}_internal.{js,wasm} "$new/runtime"
cp "$fetched/node_modules/@litertjs/core/dist/index.js" "$new/runtime/core.js"
cp "$fetched/node_modules/@litertjs/wasm-utils/dist/index.js" "$new/runtime/wasm-utils.js"
sed -i.old '/^\/\/# sourceMappingURL=/d' "$new"/runtime/{core,wasm-utils}.js
rm -f "$new"/runtime/*.old
rm -rf "$target" && mv "$new" "$target"
own=$(find "$target" -type f ! -path '*/runtime/*' -exec cat {} + | wc -c)
echo "written: $target, $((own / 1000)) kB and the runtime" >&2
