"""What PNG, JPEG, WebP, BMP, GIF and HEIC hold beside the picture is kept, or named where it cannot be."""

import struct
import sys
import warnings
import zlib

import numpy as np
import png
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from skinpaint.io import Extras, MetadataWarning, check_target, read, write

Y, X = np.mgrid[:20, :30]
GREY = (40 + 3 * X + 2 * Y).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
DEEP = GREY.astype(np.uint16) * 200 + 7
XMP = b'<x:xmpmeta tiff:Orientation="6"/>'
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def mask(tmp_path):
    mask = np.random.default_rng(0).random(GREY.shape) < 0.1
    Image.fromarray(mask).save(tmp_path / "m.png")
    Image.fromarray(np.rot90(mask, -1)).save(tmp_path / "turned.png")
    return mask


def photo_data(orientation=1):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    exif.get_ifd(0x8769).update({0x9003: "2024:01:01 00:00:00", 0xA002: 30, 0xA003: 20, 0x927C: b"maker's own"})
    exif.get_ifd(0x8825)[2] = (48.0, 1.0, 2.5)
    return exif.tobytes()


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*arguments, **options)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize(("orientation", "said"), [(1, "Spacing Y 2, X 1, as"), (6, "Spacing Y 1, X 2, as")])
def test_pixels_of_a_scan_that_are_not_square(restore, tmp_path, mask, suffix, orientation, said):
    """A scan of 200 dots an inch across and 100 down was restored as if they were square."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / f"a{suffix}", dpi=(200, 100), exif=exif)
    drawn = "m.png" if orientation == 1 else "turned.png"
    assert said in restore(f"a{suffix}", "--mask", drawn, "-o", "b.png").out
    assert "Spacing" not in restore(f"a{suffix}", "--mask", drawn, "-o", "c.png", "--spacing", "1").out
    if suffix == ".tif" and orientation == 1:
        pytest.importorskip("rasterio")
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "m.tif")
        assert said in restore("a.tif", "--mask", "m.tif", "-o", "d.tif", "--workers", "0").out


class TestPhotographs:
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
    @pytest.mark.parametrize("source", [".jpg", ".webp", ".png"])
    def test_exif_xmp_and_the_profile_go_along_upright(self, restore, tmp_path, mask, source, suffix):
        options = {"exif": photo_data(6), "icc_profile": PROFILE}
        if source == ".png":
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
        else:
            options["xmp"] = XMP
        Image.fromarray(RGB).save(tmp_path / f"a{source}", **options)
        image, extras = quietly(read, tmp_path / f"a{source}")
        assert image.shape == (30, 20, 3)
        extras = Extras(**{**vars(extras), "dpi": None})  # Pillow makes one up
        quietly(write, tmp_path / f"b{suffix}", image, extras)
        with Image.open(tmp_path / f"b{suffix}") as file:
            assert file.size == (20, 30)
            exif = file.getexif()
            assert exif.get(0x0112, 1) == 1
            assert exif[0x010F] == "a camera"
            inner = exif.get_ifd(0x8769)
            assert (inner[0x9003], inner[0xA002], inner[0xA003]) == ("2024:01:01 00:00:00", 20, 30)
            assert inner[0x927C] == b"maker's own"
            assert exif.get_ifd(0x8825)[2] == (48.0, 1.0, 2.5)
            assert file.info["icc_profile"] == PROFILE
            assert file.info["xmp"] == XMP.replace(b"6", b"1")

    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("kind", ["H", "I", "h", "i"])
    def test_an_orientation_of_any_type_of_integers_is_applied_and_reset(self, tmp_path, order, kind):
        number, head = {"H": 3, "I": 4, "h": 8, "i": 9}[kind], {"<": b"II*\0", ">": b"MM\0*"}[order]
        entry = struct.pack(f"{order}HHI", 0x0112, number, 1) + struct.pack(order + kind, 6).ljust(4, b"\0")
        exif = head + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)
        Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
        image, extras = read(tmp_path / "a.png")
        np.testing.assert_array_equal(image, np.rot90(GREY, -1))
        write(tmp_path / "b.png", image, extras)
        np.testing.assert_array_equal(read(tmp_path / "b.png")[0], image)
        with Image.open(tmp_path / "b.png") as file:
            assert file.getexif()[0x0112] == 1

    def test_an_orientation_that_no_viewer_understands_stays_as_it_is(self, tmp_path):
        exif = b"II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 2, b"6\0", 0)  # a text
        Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
        image, extras = read(tmp_path / "a.png")
        np.testing.assert_array_equal(image, GREY)
        assert extras.exif == b"Exif\0\0" + exif

    def test_the_thumbnail_shows_the_damage_and_goes(self, tmp_path):
        exif = bytearray(photo_data())
        end = 6 + 8 + 2 + 12 * struct.unpack(">H", exif[14:16])[0]
        assert exif[end : end + 4] == bytes(4)
        exif[end : end + 4] = struct.pack(">I", 8)  # a second directory: any will do
        Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=bytes(exif))
        _, extras = read(tmp_path / "a.jpg")
        assert extras.exif[end : end + 4] == bytes(4)
        assert len(extras.exif) == len(exif)

    def test_exif_data_that_are_damaged_are_named(self, tmp_path):
        exif = photo_data()[:10] + b"\xff\xff\xff\xff" + photo_data()[14:]
        Image.fromarray(RGB).save(tmp_path / "a.webp", exif=exif, lossless=True)
        image, extras = read(tmp_path / "a.webp")
        np.testing.assert_array_equal(image, RGB)
        with pytest.warns(MetadataWarning, match=r"b\.png does not hold .*: EXIF data, which are damaged\."):
            write(tmp_path / "b.png", image, extras)

    def test_a_jpeg_becomes_a_png(self, restore, tmp_path, mask):
        Image.fromarray(RGB).save(tmp_path / "a.jpg", quality=70)
        before = np.asarray(Image.open(tmp_path / "a.jpg"))
        said = restore("a.jpg", "--mask", "m.png")
        assert said.out.startswith("a-restored.png: filled ")
        after = np.asarray(Image.open(tmp_path / "a-restored.png"))
        np.testing.assert_array_equal(after[~mask], before[~mask])

    @pytest.mark.parametrize("options", [{"quality": 60, "subsampling": 2}, {"quality": 93, "subsampling": 0}])
    def test_a_jpeg_that_is_asked_for_is_of_the_same_quality_and_the_loss_is_said(
        self, restore, tmp_path, mask, options
    ):
        Image.fromarray(RGB).save(tmp_path / "a.jpg", **options)
        said = restore("a.jpg", "--mask", "m.png", "-o", "b.jpg").out
        assert " % of the known values, by up to " in said.replace("%", " %")
        assert "write a PNG to keep them" in said
        with Image.open(tmp_path / "a.jpg") as one, Image.open(tmp_path / "b.jpg") as other:
            assert other.quantization == one.quantization
            assert other.layer == one.layer

    def test_what_is_lost_is_named(self, tmp_path):
        iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0c\x1c\x02\x78\0\x05hello\0\0\0"
        Image.fromarray(RGB).save(tmp_path / "a.jpg", comment="mine", exif=photo_data(), icc_profile=PROFILE, xmp=XMP)
        contents = (tmp_path / "a.jpg").read_bytes()
        segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
        (tmp_path / "a.jpg").write_bytes(contents[:2] + segment + contents[2:])
        image, extras = read(tmp_path / "a.jpg")
        with pytest.warns(
            MetadataWarning, match=r"b\.png does not hold what its source does: IPTC data and a comment\."
        ):
            write(tmp_path / "b.png", image, extras)
        with pytest.warns(MetadataWarning, match=r"a comment, the colour profile, EXIF data and XMP data\."):
            write(tmp_path / "b.bmp", image, extras)
        with pytest.warns(MetadataWarning, match=r"the resolution, EXIF data and XMP data\."):
            write(tmp_path / "b.fits", image[..., 0], extras) if "astropy" in sys.modules else write(
                tmp_path / "b.npy", image[..., 0], extras
            )

    def test_kinds_of_jpeg_that_are_not_read_are_named(self, tmp_path):
        Image.fromarray(GREY).save(tmp_path / "a.jpg")
        contents = bytearray((tmp_path / "a.jpg").read_bytes())
        contents[contents.index(b"\xff\xc0") + 4] = 12  # bits a sample
        (tmp_path / "a.jpg").write_bytes(contents)
        with pytest.raises(ValueError, match=r"a\.jpg cannot be .*: it is damaged, or a JPEG of a kind .* 12 bits"):
            read(tmp_path / "a.jpg")

    def test_segments_of_programs_are_named(self, tmp_path):
        Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=photo_data(), icc_profile=PROFILE, xmp=XMP)
        assert read(tmp_path / "a.jpg")[1].lost == ()
        long_xmp = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40)
        added = [(0xE1, long_xmp), (0xEB, b"JP\0\0jumb"), (0xEB, b"JP\0\0more"), (0xE5, b"a program's")]
        segments = b"".join(struct.pack(">BBH", 255, code, len(data) + 2) + data for code, data in added)
        contents = (tmp_path / "a.jpg").read_bytes()
        (tmp_path / "a.jpg").write_bytes(contents[:2] + segments + contents[2:])
        assert read(tmp_path / "a.jpg")[1].lost == ("extended XMP data", "the segments APP11 APP5")

    def test_further_pictures_of_a_phone_are_named(self, tmp_path):
        first, second = (Image.fromarray(each) for each in (RGB, RGB[::-1]))
        first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
        image, extras = read(tmp_path / "a.jpg")
        with pytest.warns(MetadataWarning, match=r"1 more picture \(a preview, a depth map or a gain map\)"):
            write(tmp_path / "b.png", image, extras)

    def test_exif_data_in_a_text_of_a_png(self, tmp_path):
        exif = photo_data(6)
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
        Image.fromarray(RGB).save(tmp_path / "a.png", pnginfo=info)
        image, extras = read(tmp_path / "a.png")
        assert image.shape == (30, 20, 3)
        quietly(write, tmp_path / "b.png", image, extras)
        with Image.open(tmp_path / "b.png") as file:
            assert file.getexif()[0x010F] == "a camera"
            assert "Raw profile type exif" not in file.info

    def test_a_profile_of_grey_does_not_fit_a_webp(self, tmp_path):
        profile = PROFILE[:16] + b"GRAY" + PROFILE[20:]
        with pytest.warns(MetadataWarning, match=r"a\.webp does not hold .*: the colour profile, which is of grey\."):
            write(tmp_path / "a.webp", GREY, Extras(icc_profile=profile))
        with Image.open(tmp_path / "a.webp") as file:
            assert "icc_profile" not in file.info

    def test_exif_data_that_do_not_fit_a_jpeg_are_named(self, tmp_path):
        exif = photo_data() + bytes(66_000)
        with pytest.warns(MetadataWarning, match="EXIF data, which are too long"):
            write(tmp_path / "a.jpg", RGB, Extras(exif=exif))

    def test_sides_that_a_format_does_not_hold_are_refused_before_the_work(self, tmp_path):
        with pytest.raises(
            ValueError, match=r"a side of a WebP is 16,383 pixels at most. Got 20,000 instead. Write PNG,"
        ):
            check_target(tmp_path / "a.webp", np.uint8, shape=(3, 20_000))
        with pytest.raises(ValueError, match=r"a side of a JPEG is 65,500 pixels at most"):
            check_target(tmp_path / "a.jpg", np.uint8, shape=(70_000, 3, 3))

    def test_a_picture_larger_than_pillow_likes(self, tmp_path, monkeypatch):
        write(tmp_path / "a.png", GREY)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # it would warn from here, and refuse twice that
        np.testing.assert_array_equal(quietly(read, tmp_path / "a.png")[0], GREY)
        assert Image.MAX_IMAGE_PIXELS == 100


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class TestPNG:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_texts_and_colours_are_kept_in_another_png(self, restore, tmp_path, mask, dtype):
        write(tmp_path / "plain.png", GREY.astype(dtype))
        contents = (tmp_path / "plain.png").read_bytes()
        kept = [
            (b"gAMA", struct.pack(">I", 45455)),
            (b"tEXt", b"Title\0" + b"a title " * 2**18),
            (b"sBIT", b"\x07"),
            (b"cICP", bytes([9, 16, 0, 1])),
            (b"mDCV", bytes(24)),
            (b"cLLI", bytes(8)),
            (b"pCAL", b"volts\0" + struct.pack(">iiBB", 0, 255, 0, 2) + b"V\0000\0001"),
            (b"sCAL", b"\x010.1\0000.2"),
            (b"oFFs", struct.pack(">iiB", 5, 6, 0)),
            (b"pHYs", struct.pack(">IIB", 3, 4, 0)),
            (b"bKGD", b"\0\x20"),
        ]
        added = b"".join(chunk(*each) for each in [*kept, (b"prVt", b"of nobody we know")])
        (tmp_path / "a.png").write_bytes(contents[:33] + added + contents[33:])
        said = restore("a.png", "--mask", "m.png").err
        assert "a-restored.png does not hold what its source does: the chunk prVt." in said
        with (tmp_path / "a-restored.png").open("rb") as file:
            found = [(bytes(kind), bytes(data)) for kind, data in png.Reader(file=file).chunks()]
        assert [each for each in found if each[0] not in (b"IHDR", b"IDAT", b"IEND")] == kept
        said = restore("a.png", "--mask", "m.png", "-o", "b.tif").err
        assert "does: the chunk prVt and the chunks gAMA tEXt sBIT cICP mDCV cLLI pCAL sCAL oFFs pHYs bKGD." in said

    def test_chunks_that_fit_the_stored_pixels_alone_are_named(self, tmp_path):
        colours = Image.fromarray(RGB).quantize(16)
        colours.save(tmp_path / "plain.png", exif=photo_data(6))
        contents = (tmp_path / "plain.png").read_bytes()
        texts = [b"Raw profile type iptc\0", b"Raw profile type exif\0"]
        added = [
            (b"oFFs", bytes(9)),
            (b"sCAL", b"\x011\0001"),
            (b"pHYs", bytes(9)),
            *((b"tEXt", text) for text in texts),
        ]
        behind = [(b"bKGD", b"\1"), (b"tIME", bytes(7)), (b"iTXt", b"Title\0\0\0\0\0a title")]
        contents = contents[:33] + b"".join(chunk(*each) for each in added) + contents[33:]
        (tmp_path / "a.png").write_bytes(contents[:-12] + b"".join(chunk(*each) for each in behind) + contents[-12:])
        _, extras = read(tmp_path / "a.png")
        assert extras.lost == ("the chunks oFFs sCAL pHYs tEXt (Raw profile type iptc) bKGD",)
        assert extras.carried.what == "the chunk iTXt"

    def test_a_damaged_profile_is_named(self, tmp_path):
        write(tmp_path / "plain.png", GREY)
        contents = (tmp_path / "plain.png").read_bytes()
        (tmp_path / "a.png").write_bytes(contents[:33] + chunk(b"iCCP", b"a\0\0not zlib") + contents[33:])
        assert read(tmp_path / "a.png")[1].lost == ("the colour profile, which is damaged",)

    @pytest.mark.parametrize("pixels", [GREY, DEEP])
    def test_what_stands_behind_the_pixels_is_read_too(self, tmp_path, pixels):
        write(tmp_path / "plain.png", pixels)
        contents = (tmp_path / "plain.png").read_bytes()
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
        behind = chunk(b"eXIf", photo_data(6).removeprefix(b"Exif\0\0")) + chunk(b"iTXt", text)
        (tmp_path / "a.png").write_bytes(contents[:-12] + behind + contents[-12:])
        image, extras = read(tmp_path / "a.png")
        np.testing.assert_array_equal(image, np.rot90(pixels, -1))
        assert extras.xmp == XMP.replace(b"6", b"1")
        quietly(write, tmp_path / "b.png", image, extras)
        with Image.open(tmp_path / "b.png") as file:
            assert (file.getexif()[0x010F], file.getexif()[0x0112]) == ("a camera", 1)

    @pytest.mark.parametrize("bits", [8, 16])
    def test_moving_pictures_are_refused(self, tmp_path, bits):
        write(tmp_path / "plain.png", GREY if bits == 8 else DEEP)
        contents = (tmp_path / "plain.png").read_bytes()
        control = chunk(b"acTL", struct.pack(">II", 2, 0))
        (tmp_path / "a.png").write_bytes(contents[:33] + control + contents[33:])
        with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture: it holds \d frames"):
            read(tmp_path / "a.png")

    @pytest.mark.parametrize("bits", [1, 2, 4])
    def test_few_bits_go_from_black_to_white(self, tmp_path, bits):
        values = np.arange(2**bits)[None]
        with (tmp_path / "a.png").open("wb") as file:
            png.Writer(2**bits, 1, greyscale=True, bitdepth=bits).write(file, values.tolist())
        image, _ = read(tmp_path / "a.png")
        np.testing.assert_array_equal(image, np.linspace(0, 255, 2**bits)[None].astype(np.uint8))

    @pytest.mark.parametrize("interlace", [False, True])
    @pytest.mark.parametrize("planes", [1, 2, 3, 4])
    def test_sixteen_bits_in_every_kind(self, tmp_path, planes, interlace):
        pixels = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1], DEEP // 2][:planes], axis=-1)
        writer = png.Writer(30, 20, greyscale=planes < 3, alpha=planes % 2 == 0, bitdepth=16, interlace=interlace)
        with (tmp_path / "a.png").open("wb") as file:
            writer.write(file, pixels.reshape(20, -1).tolist())
        image, extras = read(tmp_path / "a.png")
        colours = planes - (planes % 2 == 0)
        np.testing.assert_array_equal(image.reshape(20, 30, -1), pixels[..., :colours])
        assert (extras.alpha is not None) == (planes % 2 == 0)

    def test_a_transparent_grey_becomes_alpha(self, tmp_path):
        with (tmp_path / "a.png").open("wb") as file:
            png.Writer(30, 20, greyscale=True, bitdepth=16, transparent=int(DEEP[3, 4])).write(file, DEEP.tolist())
        image, extras = read(tmp_path / "a.png")
        np.testing.assert_array_equal(image, DEEP)
        np.testing.assert_array_equal(extras.alpha, np.where(DEEP[3, 4] == DEEP, 0, 65535))

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    def test_a_transparent_grey_of_few_bits_becomes_alpha(self, tmp_path, bits):
        values = np.add.outer(np.arange(16), np.arange(16)) % 2**bits
        for grey in {0, 1, 2**bits - 1}:
            with (tmp_path / "a.png").open("wb") as file:
                png.Writer(16, 16, greyscale=True, bitdepth=bits, transparent=grey).write(file, values.tolist())
            image, extras = read(tmp_path / "a.png")
            np.testing.assert_array_equal(image, values * 255 // (2**bits - 1))
            np.testing.assert_array_equal(extras.alpha, np.where(values == grey, 0, 255))

    @pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
    def test_palettes_become_rgb_and_that_is_said(self, restore, tmp_path, mask, kind):
        colours = Image.fromarray(RGB).quantize(16)
        colours.save(tmp_path / f"a.{kind.lower()}")
        said = restore(f"a.{kind.lower()}", "--mask", "m.png", "-o", "b.png").out
        assert "Its palette was converted to RGB." in said
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / "b.png"))[~mask], np.asarray(colours.convert("RGB"))[~mask]
        )

    def test_what_pillow_leaves_of_sixteen_bits_in_a_bmp_is_said(self, restore, tmp_path, mask):
        def saved(name, *masks):
            header = struct.pack("<IiiHHIIiiII4I", 56, 30, 20, 1, 16, 3, 1200, 0, 0, 0, 0, *masks)
            values = np.full((20, 30), 0x83E0, "<u2").tobytes()
            (tmp_path / name).write_bytes(b"BM" + struct.pack("<IHHI", 70 + len(values), 0, 0, 70) + header + values)

        saved("a.bmp", 0x7C00, 0x03E0, 0x001F, 0x8000)
        assert "alpha of one bit" in restore("a.bmp", "--mask", "m.png").err
        saved("opaque.bmp", 0x7C00, 0x03E0, 0x001F, 0)
        assert "alpha" not in restore("opaque.bmp", "--mask", "m.png").err
        saved("few.bmp", 0x0F00, 0x00F0, 0x000F, 0xF000)
        with pytest.raises(ValueError, match=r"BMP of a kind that is not read .*Save it as PNG"):
            read(tmp_path / "few.bmp")


class TestHEIC:
    heif = pytest.importorskip("pillow_heif")

    def saved(self, path, array, mode, **info):
        image = self.heif.from_bytes(mode, array.shape[1::-1], np.ascontiguousarray(array).tobytes())
        image.info.update(info)
        image.save(path, quality=-1)

    def test_ten_bits_become_sixteen_and_that_is_said(self, restore, tmp_path):
        side = np.arange(64, dtype=np.uint16)
        array = np.stack([np.add.outer(side, side) * 500] * 3, axis=-1)
        self.saved(tmp_path / "a.heic", array, "RGB;16")
        image, _ = read(tmp_path / "a.heic")
        assert image.dtype == np.uint16
        np.testing.assert_allclose(image.astype(float), array, atol=700)
        Image.fromarray(np.eye(64) > 0).save(tmp_path / "m.png")
        said = restore("a.heic", "--mask", "m.png").out
        assert said.startswith("a-restored.png: filled 64 ")
        assert "Its 10 bits a channel became 16, from 0 to 65535." in said
        restored, _ = read(tmp_path / "a-restored.png")
        np.testing.assert_array_equal(restored[np.eye(64) == 0], image[np.eye(64) == 0])

    def test_it_is_upright_with_its_exif_data(self, tmp_path):
        array = np.zeros((64, 96, 3), np.uint8)
        array[:32] = 200
        self.saved(tmp_path / "a.heic", array, "RGB", exif=photo_data(6))
        image, extras = read(tmp_path / "a.heic")
        assert image.shape == (96, 64, 3)
        assert image[:, 48:].min() > 180
        write(tmp_path / "b.png", image, extras)
        with Image.open(tmp_path / "b.png") as file:
            assert file.getexif()[0x010F] == "a camera"
            assert file.getexif().get(0x0112, 1) == 1

    def test_several_pictures_are_refused(self, tmp_path):
        image = self.heif.from_bytes("RGB", (64, 64), bytes(3 * 64 * 64))
        image.add_from_heif(image[0])
        image.save(tmp_path / "a.heic")
        with pytest.raises(
            ValueError, match=r"a\.heic cannot be .*: it holds 2 pictures. Save them as single pictures"
        ):
            read(tmp_path / "a.heic")

    def test_it_is_only_read(self, tmp_path):
        with pytest.raises(ValueError, match=r"a\.heic cannot be written: HEIC is only read. Write PNG, TIFF or WebP"):
            write(tmp_path / "a.heic", RGB)

    def test_without_pillow_heif_it_is_named(self, tmp_path, monkeypatch):
        self.saved(tmp_path / "a.heic", np.zeros((64, 64, 3), np.uint8), "RGB")
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(ValueError, match=r"HEIC needs pillow-heif. Install it: pip install 'skinpaint\[heif\]'\."):
            read(tmp_path / "a.heic")


@pytest.mark.parametrize(
    ("head", "way_out"), [(b"\x1f\x8b\x08", "gzip -d FILE"), (b"BZh9", "bzip2 -d FILE"), (b"hello", "not PNG, JPEG")]
)
def test_other_contents(tmp_path, head, way_out):
    (tmp_path / "a.bin").write_bytes(head + bytes(100))
    with pytest.raises(ValueError, match=rf"a\.bin cannot be read as a picture: it.*{way_out}"):
        read(tmp_path / "a.bin")
