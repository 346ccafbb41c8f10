"""Machine images, from release to release."""

from longshore.instances import fargate_images, images, machine_image, machine_images

REGION = "us-east-1"


def test_images_of_earlier_releases_are_good_for_instances_that_there_are(monkeypatch):
    old = machine_images(REGION)
    sandboxed = {image.id for image in fargate_images(REGION)}
    monkeypatch.setattr(images, "EARLIER", (images.RELEASE,))
    monkeypatch.setattr(images, "RELEASE", "20270101")
    new = machine_images(REGION)
    assert not {image.id for image in new} & {image.id for image in old}
    for before, after in zip(old, new, strict=True):
        assert machine_image(REGION, before.id).kubernetes == after.kubernetes
        assert machine_image(REGION, after.id) == after
        assert after.name.endswith(("20270101", "20270101-x86_64"))
    assert sandboxed < {image.id for image in fargate_images(REGION)}
    assert {image.release_version[-8:] for image in new if image.kubernetes} == {"20270101"}


def test_an_image_that_never_was_is_none():
    assert machine_image(REGION, "ami-00000000000000000") is None
