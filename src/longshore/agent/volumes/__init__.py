"""EBS volumes of this host: sparse files, attached to EC2 instances by loop devices.

Enters: `VolumesMessage`, all volumes and snapshots that there are to be. Leaves: their files below
the data directory, loop devices, device nodes inside the instances; `VolumesReport`.
`plan` decides, purely, what comes next for a volume; `inspection` finds what there is, so that
nothing has to be remembered over a kill; `loops`, `copying`, `nodes` and `mounts` act, `keeper` has
them do it.
"""
