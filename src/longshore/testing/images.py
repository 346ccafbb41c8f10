"""Images pushed as anyone would push them; `longshore.images.layout` makes them."""

import shutil
import subprocess
from pathlib import Path

from longshore.images.layout import TAG, busybox, busybox_files, make_image

__all__ = ["busybox", "busybox_files", "make_image", "push_image"]


def push_image(layout: Path, reference: str, credentials: str, ca: Path | None = None) -> str:
    """Push the layout to `reference` (`host:port/repository:tag`) with skopeo; its digest.

    What is pushed is the layout as it is: skopeo would compress it. `credentials` are
    `user:password`, as GetAuthorizationToken gives them once decoded. `ca` is the certificate to
    trust, where it does not lie where skopeo looks.
    """
    digest_file = layout / "pushed-digest"
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests"]
    command += ["--digestfile", str(digest_file)]
    command += [f"--dest-creds={credentials}"] if credentials else ["--dest-no-creds"]
    if ca is not None:
        trusted = layout / "trusted"
        trusted.mkdir(exist_ok=True)
        shutil.copy(ca, trusted / "ca.crt")
        command.append(f"--dest-cert-dir={trusted}")
    done = subprocess.run(
        [*command, f"oci:{layout}:{TAG}", f"docker://{reference}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"skopeo copy to {reference}: {done.stderr.strip()}")
    return digest_file.read_text().strip()
