// How strongly a picture was JPEG-compressed, from its pixels alone; needs nothing but a runtime for .tflite files.
// The numbers between the two marks are written by scripts/make_phone.py; everything else is edited here.
package q1net

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.max
import kotlin.math.min
import kotlin.math.roundToLong
import kotlin.math.sqrt

/**
 * The estimator. [run] is the runtime's call: it reads 256 patches from a direct buffer and writes a row
 * (confidence, quality), both 0..100, for each into the array. With LiteRT: `Q1Net(Q1Net.INT8, interpreter::run)`.
 * Not to be shared by threads.
 */
class Q1Net(private val model: Model, private val run: (ByteBuffer, Array<FloatArray>) -> Unit) {
    /** What belongs to one .tflite file: bytes of an input value, threshold, correction, intervals. */
    class Model(
        val file: String,
        val bytesPerValue: Int,
        val threshold: Double,
        val knots: DoubleArray,
        val corrected: DoubleArray,
        val edges: DoubleArray,
        val below: DoubleArray,
        val above: DoubleArray,
        val mostSpread: Double
    )

    /**
     * [quality] 1..100 and its 90 % interval, or null and the [reason]; [confident] of [patches] patches agreed to it.
     * [uncorrected] is their median, there also where they are too few to rely on.
     */
    data class Answer(
        val quality: Double?,
        val low: Double?,
        val high: Double?,
        val reason: String?,
        val uncorrected: Double?,
        val confident: Int,
        val patches: Int
    )

    /** Estimate from pixels 0xAARRGGBB, row by row, as `Bitmap.getPixels` gives them; at least 24 pixels a side. */
    fun estimate(pixels: IntArray, width: Int, height: Int): Answer {
        val rows = starts(height)
        val columns = starts(width)
        val buffer = ByteBuffer.allocateDirect(BATCH * PATCH * PATCH * 3 * model.bytesPerValue)
        buffer.order(ByteOrder.nativeOrder())
        val flat = mutableListOf<Boolean>()
        for (row in rows) {
            for (column in columns) {
                put(pixels, width, row, column, buffer)
                flat.add(isFlat(pixels, width, row, column))
            }
        }
        while (buffer.hasRemaining()) buffer.put(0) // a batch that is not full; these rows are ignored
        buffer.rewind()
        val said = Array(BATCH) { FloatArray(2) }
        run(buffer, said)
        return answer(said.asList().take(flat.size), flat)
    }

    /** Append one patch in the weights' channel order: blue, green, red. Values 0..255, not normalised. */
    private fun put(pixels: IntArray, width: Int, row: Int, column: Int, buffer: ByteBuffer) {
        for (y in row until row + PATCH) {
            for (x in column until column + PATCH) {
                val pixel = pixels[y * width + x]
                for (shift in SHIFTS) {
                    val value = (pixel shr shift) and 255
                    if (model.bytesPerValue == 1) buffer.put(value.toByte()) else buffer.putFloat(value.toFloat())
                }
            }
        }
    }

    /** A patch of one colour says nothing. */
    private fun isFlat(pixels: IntArray, width: Int, row: Int, column: Int): Boolean {
        val first = pixels[row * width + column] and 0xffffff
        for (y in row until row + PATCH) {
            for (x in column until column + PATCH) {
                if (pixels[y * width + x] and 0xffffff != first) return false
            }
        }
        return true
    }

    /** From the answers of the patches to the picture's: median of the confident ones, correction, interval. */
    fun answer(said: List<FloatArray>, flat: List<Boolean>): Answer {
        val patches = said.size
        val textured = flat.count { !it }
        val counted = said.filterIndexed { i, row -> !flat[i] && row[0] > model.threshold }
        val confident = counted.size
        if (textured == 0) return Answer(null, null, null, "the picture is flat all over", null, 0, patches)
        if (confident == 0) {
            val reason = "none of $patches patches is confident"
            return Answer(null, null, null, reason, null, 0, patches)
        }
        val qualities = counted.map { it[1].toDouble() }.sorted()
        val middle = quantile(qualities, 0.5)
        val quality = interpolate(middle, model.knots, model.corrected)
        if (confident < LEAST_SHARE * textured) {
            val reason = "too few confident patches to rely on: $confident of $patches"
            return Answer(null, null, null, reason, middle, confident, patches)
        }
        val spread = quantile(qualities, 0.75) - quantile(qualities, 0.25)
        if (spread > model.mostSpread) {
            val reason = "the confident patches differ, as with tables that are not standard"
            return Answer(null, null, null, reason, middle, confident, patches)
        }
        val expected = 100 - counted.map { it[0].toDouble() }.average()
        val error = (expected + spread) / sqrt(confident.toDouble())
        val bin = model.edges.count { it <= error }
        val low = within(quality + model.below[bin])
        return Answer(quality, low, within(quality + model.above[bin]), null, middle, confident, patches)
    }

    companion object {
        const val PATCH = 16 // side of a patch, two blocks of a JPEG
        const val BLOCK = 8
        const val GRID = 16 // at most GRID x GRID patches

        // numbers: begin
        private const val BATCH = 256 // patches a call
        private const val LEAST_SHARE = 0.1 // of the patches with texture
        private val SHIFTS = intArrayOf(0, 8, 16) // BGR
        val FLOAT32 = Model(
            "comp_cls.tflite", bytesPerValue = 4, threshold = 98.0,
            knots = doubleArrayOf(0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 88.0, 94.0, 98.0, 100.0),
            corrected = doubleArrayOf(0.0, 3.02, 6.015, 10.008, 15.053, 20.022, 29.979, 40.096, 50.13, 59.937, 70.158, 79.89, 88.146, 94.124, 98.11, 100.0),
            edges = doubleArrayOf(0.177, 0.222, 0.255, 0.285, 0.315, 0.367, 0.441),
            below = doubleArrayOf(-2.009, -1.625, -2.805, -2.279, -2.063, -6.438, -1.05, -2.28),
            above = doubleArrayOf(1.286, 1.428, 1.341, 3.686, 1.124, 4.41, 25.218, 20.851),
            mostSpread = 3.97
        )
        val FLOAT16 = Model(
            "comp_cls_float16.tflite", bytesPerValue = 4, threshold = 98.0,
            knots = doubleArrayOf(0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 88.0, 94.0, 98.0, 100.0),
            corrected = doubleArrayOf(0.0, 3.02, 6.015, 10.008, 15.053, 20.022, 29.979, 40.096, 50.13, 59.937, 70.158, 79.89, 88.146, 94.124, 98.11, 100.0),
            edges = doubleArrayOf(0.177, 0.222, 0.255, 0.285, 0.315, 0.367, 0.441),
            below = doubleArrayOf(-2.009, -1.625, -2.805, -2.279, -2.063, -6.438, -1.05, -2.28),
            above = doubleArrayOf(1.286, 1.428, 1.341, 3.686, 1.124, 4.41, 25.218, 20.851),
            mostSpread = 3.97
        )
        val INT8 = Model(
            "comp_cls_int8.tflite", bytesPerValue = 1, threshold = 97.75,
            knots = doubleArrayOf(0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 88.0, 94.0, 98.0, 100.0),
            corrected = doubleArrayOf(0.0, 2.94, 6.17, 10.013, 15.072, 20.131, 29.945, 40.339, 49.618, 60.015, 70.063, 79.983, 88.037, 94.141, 100.0, 100.0),
            edges = doubleArrayOf(0.203, 0.26, 0.3, 0.35, 0.404, 0.479, 0.587),
            below = doubleArrayOf(-2.883, -2.815, -2.622, -1.957, -1.479, -1.774, -2.889, -3.693),
            above = doubleArrayOf(0.633, 1.77, 2.528, 1.323, 25.123, 4.176, 34.279, 39.072),
            mostSpread = 7.34
        )
        // numbers: end

        /** Where the patches begin along a side of [length] pixels: at most 16 places, each once. */
        fun starts(length: Int): List<Int> {
            require(length >= 3 * BLOCK) { "a side of $length pixels is too short; at least 24 are needed" }
            val blocks = length / BLOCK - 2 // with neighbours on both sides
            return (1..GRID).map { BLOCK * (it * blocks / (GRID + 1)) + BLOCK / 2 }.distinct()
        }

        /** The value below which a [share] 0..1 of [sorted] lies, between two of them on a straight line. */
        private fun quantile(sorted: List<Double>, share: Double): Double {
            val place = share * (sorted.size - 1)
            val first = place.toInt()
            val second = min(first + 1, sorted.size - 1)
            return sorted[first] + (place - first) * (sorted[second] - sorted[first])
        }

        /** The straight line through the points ([knots], [values]) at [x]. */
        private fun interpolate(x: Double, knots: DoubleArray, values: DoubleArray): Double {
            var i = 1
            while (i < knots.size - 1 && knots[i] < x) i++
            val share = (x - knots[i - 1]) / (knots[i] - knots[i - 1])
            return values[i - 1] + min(max(share, 0.0), 1.0) * (values[i] - values[i - 1])
        }

        /** Within 1..100, to two digits. */
        private fun within(value: Double): Double = (100 * min(max(value, 1.0), 100.0)).roundToLong() / 100.0
    }
}
