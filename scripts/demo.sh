#!/usr/bin/env bash
# The first thing to run after cloning: sets up what prediction needs, asks the sample pictures for their
# quality, and finds what matters in one of them.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if [ -x .venv/bin/python ] && [ -f .venv/.stamp ]; then
    python=.venv/bin/python
else
    scripts/setup.sh --predict
    python=.venv-predict/bin/python
fi

echo "\$ python3 classifier/predict_cls.py --in_path sample_image"
"$python" classifier/predict_cls.py --in_path sample_image
echo
echo "\$ python3 msroi/generate_map.py sample_image/chelsea.png"
"$python" msroi/generate_map.py sample_image/chelsea.png
echo "\$ python3 msroi/combine_images.py -image sample_image/chelsea.png -map output/msroi_map.jpg"
"$python" msroi/combine_images.py -image sample_image/chelsea.png -map output/msroi_map.jpg
answer=$("$python" classifier/predict_cls.py --in_path sample_image/coffee_jpeg_q20.png)
echo
echo "coffee_jpeg_q20.png is a PNG that was a JPEG of quality 20 before. From its pixels alone: $answer."
