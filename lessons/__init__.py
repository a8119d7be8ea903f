"""The course: lessons as folders, and the grader that judges them from outside the machine.

``course`` reads the lesson folders, ``runner`` runs a submission on a machine, ``record`` notes
what it does, ``checks`` judges that, ``grader`` gives the points, ``report`` puts them into words,
``author`` proves a lesson right, ``workfolder`` keeps a student's files, and ``cli_api`` is what
the commands call.  Submissions run inside the guest only: no Python of a student is ever executed.
"""
