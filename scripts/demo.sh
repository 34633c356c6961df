#!/usr/bin/env bash
# The first thing to run after cloning: sets up what prediction needs (no TensorFlow), asks the sample pictures how strongly
# they were compressed, and makes a photograph smaller. Writes below output/ and out/.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if [ -x .venv/bin/python ] && [ -f .venv/.stamp ]; then
    python=.venv/bin/python
else
    scripts/setup.sh --predict
    python=.venv-predict/bin/python
fi

show() { # COMMAND ...: print it, run it
    printf '$ python3 %s\n' "$*"
    "$python" "$@"
    echo
}

show classifier/predict_cls.py sample_image
echo "coffee_jpeg_q20.png is a PNG, so the file says nothing. Its pixels do:"
show classifier/predict_cls.py sample_image/coffee_jpeg_q20.png --explain
echo "And a photograph made smaller, its bytes where they matter:"
show msroi/generate_map.py sample_image/chelsea.png
show msroi/combine_images.py -image sample_image/chelsea.png -map output/msroi_map.jpg -model 7 --report out/demo.html
echo "Look at output/overlayed_heatmap.png (what matters) and open out/demo.html (both files beside each other)."
